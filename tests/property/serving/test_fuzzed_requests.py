"""Any bytes at the HTTP doors: an answer or one sentence, never another error, and nothing is kept of them."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from served import request

from driftline.agents.serving import tensors, v2
from driftline.agents.serving.cloudevents import REQUEST, RESPONSE, Pairs, rows_of
from driftline.agents.serving.errors import AnswerError
from driftline.agents.serving.package.tensors import DTYPES

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.just(1e400)
    | st.just(-1)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(("inputs", "outputs", "id", "parameters", "name", "shape", "datatype", "data"))
KINDS = st.sampled_from((*DTYPES, "BF16", "FP31", ""))
SIZES = st.integers(-2, 40) | st.integers()
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=5) | VALUES,
        "datatype": KINDS | VALUES,
        "shape": st.lists(SIZES, max_size=4) | VALUES,
        "data": VALUES | st.lists(st.floats(-1, 1) | st.integers(0, 3), max_size=6),
        "parameters": st.fixed_dictionaries(
            {}, optional={"binary_data_size": SIZES | VALUES, "shared_memory_region": VALUES}
        ),
    },
)  # fmt: skip
NOTHING: tuple[dict[str, Any], ...] = ({"data": []}, {"parameters": {"binary_data_size": 0}})
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "inputs": st.lists(TENSORS, max_size=3) | VALUES,
        "outputs": st.lists(TENSORS, max_size=3) | VALUES,
        "id": st.text(max_size=5) | VALUES,
        "parameters": VALUES,
    },
)


def refused_or(read: Any) -> Any:
    """Return what is read, or None when it is refused in one sentence."""
    try:
        return read()
    except AnswerError as error:
        refused = error
    assert refused.status in (400, 413, 500)
    assert "\n" not in refused.sentence
    assert len(refused.sentence) < 2_000
    return None


@given(
    st.binary(max_size=300) | BODIES.map(lambda body: json.dumps(body).encode()),
    st.binary(max_size=60),
    SIZES,
)
@example(b"[" * 100_000, b"", 0)
@example(b'{"inputs":[{"name":"X","shape":[1],"datatype":"FP32","data":[' + b"[" * 1_000 + b"]}]}", b"", 0)
@example(request().replace(b"0.5", b"NaN", 1), b"", 0)
@example(request().replace(b"0.5", b"1e39", 1), b"", 0)
def test_any_body_is_a_request_or_refused(body: bytes, tail: bytes, cut: int) -> None:
    """With and without a header that says how much of it is JSON; what is read fills its shape exactly."""
    for length in (None, cut, len(body)):
        ask = refused_or(lambda length=length: v2.read(body + tail, length))
        if ask is not None:
            for array in ask.inputs.values():
                assert array.size == int(np.prod(array.shape))
                assert array.nbytes <= 64 * len(body + tail) + 64


def outcome(body: bytes, *, flat: bool) -> Any:
    """Return all that is read of a body, or the sentence that refuses it."""
    try:
        ask = v2.read(body, flat=flat)
    except AnswerError as error:
        return error.status, error.sentence
    arrays = {name: (array.dtype, array.shape, array.tolist()) for name, array in ask.inputs.items()}
    return ask.id, arrays, ask.wanted, ask.is_binary, ask.key


FLATS = st.fixed_dictionaries(
    {
        "name": st.sampled_from("XY"),
        "datatype": st.sampled_from(("FP32", "FP64", "FP16", "INT64")),
        "shape": st.sampled_from(([1, 2], [2], [0], [2, 1])),
        "data": st.lists(st.floats(-1, 1) | st.integers() | st.sampled_from([1e39, -1e39]), max_size=3),
    },
    optional={"parameters": st.sampled_from(({}, {"binary_data_size": 0}, {"shared_memory_region": "a"}))},
)


@given(
    st.fixed_dictionaries(
        {"inputs": st.lists(FLATS | TENSORS, max_size=3)},
        optional={"id": st.text(max_size=3), "parameters": VALUES, "outputs": st.lists(TENSORS, max_size=2)},
    )
)
def test_flat_requests_are_read_alike_in_one_go(body: dict[str, Any]) -> None:
    """What a model of floats is asked gives the same arrays, or the same sentence, as when each input is looked at."""
    data = json.dumps(body).encode()
    assert outcome(data, flat=True) == outcome(data, flat=False)


@given(
    st.sampled_from(tuple(DTYPES)),
    st.lists(st.integers(0, 5), min_size=1, max_size=3),
    st.binary(max_size=200),
)
def test_any_binary_tensor_is_read_or_refused(datatype: str, shape: list[int], data: bytes) -> None:
    """Whatever its length and its bytes, texts with lengths that lie included."""
    head = json.dumps({
        "inputs": [
            {"name": "X", "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(data)}}
        ]
    }).encode()  # fmt: skip
    ask = refused_or(lambda: v2.read(head + data, len(head)))
    if ask is not None:
        assert ask.inputs["X"].shape == tuple(shape)


@given(
    st.sampled_from(tuple(DTYPES)),
    st.lists(st.sampled_from((0, 1, 4, 1 << 31)), min_size=1, max_size=8),
    st.sampled_from(NOTHING),
)
@example("FP32", [4, 0, *[1 << 31] * 6], NOTHING[1])
@example("BYTES", [0, *[1 << 31] * 7], NOTHING[0])
def test_a_tensor_of_nothing_has_a_shape_that_there_is_or_is_refused(
    datatype: str, shape: list[int], nothing: dict[str, Any]
) -> None:
    """Where one axis is 0 no element says how long the others may be; what no array can be is one sentence."""
    tensor = {"name": "X", "datatype": datatype, "shape": shape, **nothing}
    ask = refused_or(lambda: v2.read(json.dumps({"inputs": [tensor]}).encode()))
    if ask is not None:
        assert ask.inputs["X"].shape == tuple(shape)


@given(st.lists(st.text(max_size=20), max_size=6), st.lists(st.floats(width=32), max_size=6))
def test_tensors_come_back_as_they_went(texts: list[str], numbers: list[float]) -> None:
    """Texts and floats, NaN and infinities among them, go out binary and are read again bit for bit."""
    arrays = {"t": np.array([*texts, ""], object), "f": np.array([*numbers, 0.0], np.float32)}
    ask = v2.Ask("", arrays, is_binary=True)
    body, size = v2.written("churn", "1", "id", ask, arrays)
    told = json.loads(body[:size])
    again = json.dumps({"inputs": told["outputs"]}).encode()
    back = v2.read(again + body[size:], len(again)).inputs
    assert back["t"].tolist() == arrays["t"].tolist()
    assert back["f"].tobytes() == arrays["f"].tobytes()


def test_a_length_that_lies_is_not_believed() -> None:
    """A text that says it has four gigabytes takes no memory."""
    data = struct.pack("<I", 0xFFFFFFFF) + b"x"
    head = json.dumps({
        "inputs": [{"name": "X", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(data)}}]
    }).encode()  # fmt: skip
    assert refused_or(lambda: v2.read(head + data, len(head))) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from((REQUEST, RESPONSE, "other", "")),
            st.sampled_from(("a", "b", "", "é" * 201)),
            st.binary(max_size=40) | BODIES.map(lambda body: json.dumps(body).encode()),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_any_cloud_event_is_taken_or_refused(events: list[tuple[str, str, bytes, bool]]) -> None:
    """In any order, of any type and payload; what waits is bounded, and rows are whole."""
    pairs = Pairs(most=3, most_bytes=200)
    for kind, identity, body, is_structured in events:
        headers = [(b"ce-type", kind.encode()), (b"ce-id", identity.encode())]
        if is_structured:
            headers = [(b"content-type", b"application/cloudevents+json")]
        pair = refused_or(lambda headers=headers, body=body: pairs.take("churn", headers, body, 0.0))
        assert len(pairs) <= 3
        if pair is not None:
            rows = refused_or(lambda pair=pair: rows_of(pair.request, pair.response))
            if rows is not None:
                assert all(len(column) == rows.rows for column in rows.columns.values())


@pytest.mark.timeout(30)
def test_an_event_of_many_axes_or_columns_takes_no_time() -> None:
    """A megabyte of axes is not multiplied, which took a minute, and a million columns are not laid out."""
    axes = {"name": "X", "shape": [1, *[10**18] * 100_000], "data": [1, 2]}
    wide = {"name": "X", "shape": [1, 1_000_000], "data": [0] * 1_000_000}
    for tensor, said in ((axes, "100,001 axes"), (wide, "1,000,000 columns")):
        with pytest.raises(AnswerError, match=said):
            rows_of(json.dumps({"inputs": [tensor]}).encode(), b"{}")
    with pytest.raises(AnswerError, match="1,000,000 columns"):
        rows_of(json.dumps({"instances": [[0] * 1_000_000]}).encode(), b"{}")


@given(
    st.sampled_from(["FP32", "FP64", "INT64", "UINT8", "BOOL"]),
    st.lists(st.one_of(st.floats(width=32), st.integers(-300, 300), st.booleans(), st.none()), max_size=60),
    st.integers(1, 61),
    st.sampled_from([",", " , ", ",\n"]),
)
def test_long_lists_are_read_alike_in_pieces(
    datatype: str, values: list[Any], length: int, comma: str
) -> None:
    """A flat list that is read a piece at a time is the same array, or refused, as one that is read whole."""
    data = f"[{comma.join(json.dumps(value) for value in values)}]".encode()
    found = []
    for piece_bytes in (1 << 20, 7):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tensors, "PIECE_BYTES", piece_bytes)
            try:
                found.append(tensors.of_json("x", datatype, [length], data).tolist())
            except AnswerError as error:
                found.append(error.status)
    assert str(found[0]) == str(found[1])


NUMBERS = (
    st.integers(-3, 300) | st.floats(-1, 1) | st.booleans() | st.none() | st.sampled_from(["]", "1,2", "["])
)


@given(
    st.sampled_from(["FP32", "FP64", "INT64", "UINT8", "BOOL"]),
    st.lists(st.integers(0, 3), min_size=2, max_size=4),
    st.integers(0, 3),
    st.data(),
)
def test_long_nested_lists_are_read_alike(datatype: str, shape: list[int], wrong: int, data: Any) -> None:
    """Numbers nested as the shape says, or not, give the same array or are refused, whether the list is long or not."""

    def nested(lengths: list[int]) -> Any:
        if not lengths:
            return data.draw(st.integers(0, 1) if datatype != "BOOL" else st.booleans())
        return [nested(lengths[1:]) for _ in range(lengths[0])]

    values = nested(shape)
    for _ in range(wrong):
        inner = values
        while inner and isinstance(inner[0], list) and data.draw(st.booleans()):
            inner = inner[data.draw(st.integers(0, len(inner) - 1))]
            if not isinstance(inner, list):
                break
        if isinstance(inner, list):
            inner.insert(0, data.draw(NUMBERS | st.lists(NUMBERS, max_size=3)))
    written = json.dumps(values, indent=data.draw(st.sampled_from([None, 1]))).encode()
    found = []
    for piece_bytes in (1 << 20, 7):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tensors, "PIECE_BYTES", piece_bytes)
            try:
                array = tensors.of_json("x", datatype, shape, written)
                found.append((array.shape, array.tolist()))
            except AnswerError as error:
                found.append(error.status)
    assert str(found[0]) == str(found[1])
