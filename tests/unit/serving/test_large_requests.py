"""What large requests take while they are read: little more than their bytes, whatever they nest."""

from __future__ import annotations

import json
import math
import tracemalloc

import numpy as np
import pytest

from driftline.agents.serving import tensors, v2
from driftline.agents.serving.errors import AnswerError

COUNT = 250_000


def most_bytes(body: bytes) -> int:
    """Return what reading a body takes at most, whether it is refused or not."""
    tracemalloc.start()
    try:
        v2.read(body)
    except AnswerError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        (b"[%b]" % b",".join([b"[0]"] * COUNT), b"[%d,1]" % COUNT),
        (b"[%b]" % b",".join([b"[[[[[[[0]]]]]]]"] * (COUNT // 4)), b"[%d,1,1,1,1,1,1,1]" % (COUNT // 4)),
        (b"[%b]" % b",".join([b"[0]"] * COUNT), b"[%d]" % COUNT),
    ],
)
def test_nested_lists_take_little_more_than_their_bytes(data: bytes, shape: bytes) -> None:
    """A list of lists of numbers is never made of objects: that took forty times its JSON, and the whole process."""
    body = b'{"inputs":[{"name":"X","datatype":"FP32","shape":%b,"data":%b}]}' % (shape, data)
    assert most_bytes(body) < 10 * len(body)


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        (b"[[1,2,3],[4]]", b"[2,2]"),
        (b"[[1,[2]],3,4]", b"[2,2]"),
        (b"[[1,2],[3,4]", b"[2,2]"),
        (b'[["1,2"],["3,4"]]', b"[2,2]"),
        (b"[[1,2],[3 4]]", b"[2,2]"),
        (b"[[1],[2]]", b"[2,0]"),
        (b"[[], [null]]", b"[2,0]"),
    ],
)
def test_what_is_nested_otherwise_is_refused(
    monkeypatch: pytest.MonkeyPatch, data: bytes, shape: bytes
) -> None:
    """Also where as many brackets and commas are there as the shape has, or texts that look like them."""
    monkeypatch.setattr(tensors, "PIECE_BYTES", 1)
    with pytest.raises(AnswerError):
        v2.read(b'{"inputs":[{"name":"X","datatype":"FP32","shape":%b,"data":%b}]}' % (shape, data))


@pytest.mark.parametrize("piece_bytes", [1, 1 << 16])
@pytest.mark.parametrize("shape", [[2, 0], [2, 2], [2, 1, 1, 1, 1, 1, 1, 1]])
@pytest.mark.parametrize("indent", [None, 1, 16])
def test_lists_are_read_however_they_are_indented(
    monkeypatch: pytest.MonkeyPatch, piece_bytes: int, shape: list[int], indent: int | None
) -> None:
    """As JSON for people is, long or short; lists of nothing are arrays without elements."""
    monkeypatch.setattr(tensors, "PIECE_BYTES", piece_bytes)
    array = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    written = json.dumps(array.tolist(), indent=indent).encode()
    assert np.array_equal(tensors.of_json("x", "FP32", shape, written), array)


@pytest.mark.parametrize("place", ["request", "input", "output"])
def test_what_nobody_knows_takes_no_memory(place: str) -> None:
    """Large parameters are refused in a sentence before they are read, wherever they stand."""
    given = {"request": b"{}", "input": b"{}", "output": b"{}"}
    given[place] = b'{"a":[%b]}' % b",".join([b"{}"] * COUNT)
    body = (
        b'{"inputs":[{"name":"X","datatype":"FP32","shape":[1],"data":[1],"parameters":%b}],'
        b'"outputs":[{"name":"p","parameters":%b}],"parameters":%b}'
    ) % (given["input"], given["output"], given["request"])
    assert most_bytes(body) < 2 * len(body)
    with pytest.raises(AnswerError, match="65,536 are allowed"):
        v2.read(body)
