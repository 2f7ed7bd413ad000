"""What large requests take while they are read: little more than their bytes, whatever they nest."""

from __future__ import annotations

import asyncio
import io
import json
import math
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from served import Kept, agent, loaded, request, running, until

from driftline.agents.serving import inference, tensors, v2
from driftline.agents.serving.errors import AnswerError
from driftline.agents.serving.slots import Slots

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


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        (b"[%b]" % b",".join([b"[]"] * COUNT), b"[%d,0]" % COUNT),
        (b"[%b]" % b",".join([b"[]"] * COUNT), b"[%d,1]" % COUNT),
        (b'[["a"],%b]' % b",".join([b"[]"] * COUNT), b"[1,1]"),
        (b"[%b]" % b",".join([b"[[[[[[[]]]]]]]"] * (COUNT // 4)), b"[%d,1,1,1,1,1,1,0]" % (COUNT // 4)),
        (b"[%b]" % b",".join([b'[["a"]]'] * COUNT), b"[%d,1]" % COUNT),
        (b"[%b]" % b",".join([b'"a"'] * COUNT), b"[%d,0]" % COUNT),
    ],
)
def test_lists_that_hold_no_texts_are_not_made(data: bytes, shape: bytes) -> None:
    """Many texts are refused at the first list that is not as its shape says: empty ones took 25 times their JSON."""
    body = b'{"inputs":[{"name":"X","datatype":"BYTES","shape":%b,"data":%b}]}' % (shape, data)
    assert most_bytes(body) < 2 * len(body)
    with pytest.raises(AnswerError, match="of the input 'X' are no"):
        v2.read(body)


@pytest.mark.parametrize("shape", [[6], [6, 1], [1, 6], [3, 2], [1, 3, 1, 2]])
@pytest.mark.parametrize("flat", [True, False])
def test_many_texts_are_read_flat_or_nested(
    monkeypatch: pytest.MonkeyPatch, shape: list[int], *, flat: bool
) -> None:
    """As few are, with brackets and commas in them; lists of other lengths are refused."""
    monkeypatch.setattr(tensors, "PIECE_BYTES", 1)
    array = np.array(["", "[", "],[", '"', "\\", "é"], object).reshape(shape)
    data = array.ravel().tolist() if flat else array.tolist()
    assert np.array_equal(tensors.of_json("x", "BYTES", shape, json.dumps(data).encode()), array)
    with pytest.raises(AnswerError):
        tensors.of_json("x", "BYTES", [*shape[:-1], shape[-1] + 1], json.dumps(data).encode())


def test_rows_are_counted_before_they_are_read() -> None:
    """What the shape says of them is enough to refuse them; the data are not looked at."""
    body = b'{"inputs":[{"name":"X","datatype":"BYTES","shape":[11,1],"data":["not",[1]]}]}'
    with pytest.raises(AnswerError, match="has 11 rows; 10 are allowed") as refused:
        v2.read(body, most_rows=10)
    assert refused.value.status == 413
    with pytest.raises(AnswerError, match="are no BYTES"):
        v2.read(body, most_rows=11)


def test_very_large_requests_are_read_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of them; the others wait, and smaller ones are read beside them."""
    begun, may_end = threading.Semaphore(0), threading.Event()
    sizes: list[int] = []

    def read(body: bytes, *given: Any, **more: Any) -> v2.Ask:
        sizes.append(len(body))
        if len(body) > inference.FEW_BYTES:
            begun.release()
            assert may_end.wait(30)
        return whole_read(body, *given, **more)

    whole_read = v2.read
    monkeypatch.setattr(v2, "read", read)

    async def whole() -> None:
        made = agent(tmp_path, kept=Kept(whole=False))
        made.swapper("churn").deployment.switch(Slots(champion=loaded("1")))
        large = request(100) + b" " * inference.FEW_BYTES
        middle = request(100) + b" " * (inference.FEW_BYTES // 2)
        async with running(made) as port, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}/v2/models/churn/infer"

            async def ask(body: bytes) -> int:
                async with session.post(url, data=io.BytesIO(body)) as answer:
                    return answer.status

            try:
                asked = [asyncio.create_task(ask(large)) for _ in range(5)]
                for _ in range(inference.READS):
                    assert await asyncio.to_thread(begun.acquire, timeout=30)
                assert await ask(middle) == 200
                await until(lambda: made.bodies.held == 5 * len(large))
                assert sizes == [len(large)] * inference.READS + [len(middle)]
            finally:
                may_end.set()
            assert await asyncio.gather(*asked) == [200] * 5

    asyncio.run(whole())


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
