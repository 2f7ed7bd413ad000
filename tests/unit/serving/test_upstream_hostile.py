"""A server behind the agent that misbehaves costs its caller an error in words, within bounds, and nobody else more."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hostile import (
    PIECE,
    Deed,
    Hostile,
    answering,
    crossed,
    dripping,
    flooding,
    listening,
    saying,
    twice,
    twice_later,
    waiting,
    whole_answer,
)
from served import agent, manifest, ref, request, running, until

from driftline.agents.serving.slots import Loaded
from driftline.agents.serving.upstream import Upstream, UpstreamModel

MOST_BYTES = 1 << 20
PATIENT_S, HASTY_S = 60.0, 0.5
MOST_SENT = 192
"""Pieces of 64 KiB that the buffers of sockets take beside what is read."""
MOST_CHARS = 400

Answered = tuple[int, dict[str, Any]]

SILENT: dict[str, Deed] = {
    "says nothing": waiting(b""),
    "says its headers alone": waiting(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
    "says a byte now and then": dripping,
}
HEAD = b"HTTP/1.1 200 OK\r\n"
WRONG: dict[str, tuple[Deed, str]] = {
    "hangs up": (saying(b""), "gives no whole answer"),
    "hangs up within its headers": (saying(HEAD + b"Content-Le"), "gives no whole answer"),
    "hangs up within its body": (saying(HEAD + b"Content-Length: 99\r\n\r\n{"), "gives no whole answer"),
    "speaks no HTTP": (saying(b"\x00\x01\x02 what\r\n\r\n"), "gives no whole answer"),
    "has a length that is none": (saying(HEAD + b"Content-Length: -5\r\n\r\n"), "gives no whole answer"),
    "has chunks that are none": (
        saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"), "gives no whole answer"),
    "ends within a chunk": (
        saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\nabc"), "gives no whole answer"),
    "has headers without end": (flooding(HEAD, b"X: %b\r\n" % (b"y" * 4_000) * 16), "gives no whole answer"),
    "has one header without end": (flooding(HEAD + b"X: "), "gives no whole answer"),
    "has a body without end": (flooding(HEAD + b"\r\n"), "more than 1,048,576 bytes"),
    "has chunks without end": (
        flooding(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n%b\r\n" % PIECE),
        "more than 1,048,576 bytes"),
    "announces too long a body": (
        waiting(HEAD + b"Content-Length: 1048577\r\n\r\n"), "more than 1,048,576 bytes"),
    "answers a bomb": (
        saying(whole_answer(gzip.compress(bytes(8 * MOST_BYTES)), b"Content-Encoding: gzip\r\n")),
        "more than 1,048,576 bytes"),
    "fails with a text": (
        saying(whole_answer(b"the\nmodel burst " + b"!" * 9_999, status=b"500 No")),
        "answers 500: the model burst !!!"),
    "fails with bytes": (saying(whole_answer(b"\xff", status=b"503 No")), "answers 503: \ufffd"),
    "fails without a word": (saying(whole_answer(b"", status=b"500 No")), "answers 500: no reason"),
    "fails in JSON without end": (
        saying(whole_answer(b'{"error":' + b"[" * 9_999, status=b"500 No")), 'answers 500: {"error":[[['),
    "fails at length": (
        saying(whole_answer(b'{"error":"%b"}' % (b"x" * 99_999), status=b"500 No")), "answers 500: xxx"),
    "sends elsewhere": (
        saying(whole_answer(b"", b"Location: /v2/elsewhere\r\n", b"307 No")), "answers 307: no reason"),
    "answers no JSON": (saying(whole_answer(b"<html>")), "is no answer of the protocol"),
    "answers nothing": (saying(whole_answer(b"")), "is no answer of the protocol"),
    "nests without end": (saying(whole_answer(b"[" * 99_999)), "is no answer of the protocol"),
    "answers an error with 200": (saying(whole_answer(b'{"error":"no"}')), "field `outputs`"),
    "says no outputs": (saying(whole_answer(b'{"outputs":[]}')), "$.outputs"),
    "answers another output": (answering(name="q"), "there is no output 'q'"),
    "answers another type": (answering(datatype="INT32"), "the output 'p'"),
    "answers another shape": (answering(shape=[1]), "the output 'p'"),
    "answers more rows": (
        answering(shape=[2, 1], data=bytes(8), parameters={"binary_data_size": 8}), "2 rows where 1"),
    "answers another request": (answering(id="another"), "answers 'another', which was not asked"),
    "answers by another version": (answering(version="6"), "with its version '6'"),
    "answers NaN": (answering(data=b"\x00\x00\xc0\x7f"), "holds NaN or infinity, which JSON does not carry"),
    "answers NaN in JSON": (
        saying(whole_answer(b'{"outputs":[{"name":"p","datatype":"FP32","shape":[1,1],"data":[NaN]}]}')),
        "is no answer of the protocol"),
    "says fewer bytes than its shape": (answering(parameters={"binary_data_size": 3}), "has 3 bytes"),
    "says more bytes than it sends": (answering(parameters={"binary_data_size": 5}), "and 4 bytes follow"),
    "says fewer than no bytes": (answering(parameters={"binary_data_size": -1}), "and 4 bytes follow"),
    "sends more bytes than it says": (answering(data=bytes(12)), "8 bytes follow the last tensor"),
    "has a shape without end": (answering(shape=[1 << 31] * 8), "has 4 bytes"),
    "says more JSON than it sends": (
        saying(whole_answer(b"{}", b"Inference-Header-Content-Length: 3\r\n")), "3 bytes of JSON, and it has 2"),
    "says a number without end": (
        saying(whole_answer(b"{}", b"Inference-Header-Content-Length: %b\r\n" % (b"9" * 5_000))),
        "is no answer of the protocol"),
}  # fmt: skip

ASKED_AGAIN = {"hangs up", "hangs up within its headers"}
"""What may be a kept connection that was ended: it is asked once more over a new one."""


class Caller:
    """Asks an agent before a hostile server."""

    def __init__(self, session: aiohttp.ClientSession, port: int, server: Hostile) -> None:
        self._session, self._server = session, server
        self._url = f"http://127.0.0.1:{port}/v2/models/churn/infer"

    async def ask(self, deed: Deed | None = None, times: int = 1) -> Answered:
        """Ask for one row, of a server that does this to so many requests."""
        self._server.deed, self._server.times = deed, times
        self._server.answered.clear()
        async with self._session.post(self._url, data=request()) as answer:
            found = answer.status, await answer.json()
        self._server.answered.set()
        return found

    async def is_answered(self) -> None:
        """Ask once more, which is answered as it should be."""
        status, said = await self.ask()
        assert (status, said.get("outputs", said)) == (200, [
            {"name": "p", "datatype": "FP32", "shape": [1, 1], "data": [7.0]}
        ])  # fmt: skip


@contextlib.asynccontextmanager
async def before(hostile: Hostile, folder: Path, seconds: float = PATIENT_S) -> AsyncIterator[Caller]:
    """Let an agent stand before a server; gives who asks it."""
    async with listening(hostile) as url:
        upstream = Upstream(url, seconds, MOST_BYTES)
        made = agent(folder, request_seconds=seconds)
        model = UpstreamModel(upstream, manifest("7"))
        made.swapper("churn").adopt(Loaded(ref("7"), manifest("7"), model, is_verified=False))
        async with running(made) as port, aiohttp.ClientSession() as session:
            yield Caller(session, port, hostile)
        await upstream.close()


def test_a_server_that_is_silent_is_waited_for_within_bounds(tmp_path: Path) -> None:
    """One that never answers whole costs the time of a request, and a 504 in words; then it is hung up on."""

    async def whole() -> None:
        hostile = Hostile()
        async with before(hostile, tmp_path, HASTY_S) as caller:
            for name, deed in SILENT.items():
                status, said = await caller.ask(deed)
                assert (status, said) == (504, {"error": "version 7 did not answer within 0.5 s"}), name
                await caller.is_answered()
            await until(lambda: hostile.left == len(SILENT))

    asyncio.run(whole())


def test_what_a_server_does_wrong_is_told(tmp_path: Path) -> None:
    """Its caller gets a 502 that names the server and what it did, within bounds; the next one is answered."""

    async def whole() -> None:
        hostile = Hostile()
        async with before(hostile, tmp_path) as caller:
            for name, (deed, words) in WRONG.items():
                hostile.sent = hostile.asked = 0
                times = 2 if name in ASKED_AGAIN else 1
                status, said = await caller.ask(deed, times)
                assert (status, said["error"][:18]) == (502, "version 7 failed: "), (name, said)
                assert words in said["error"], (name, said)
                assert len(said["error"]) < MOST_CHARS, (name, said)
                assert hostile.sent < MOST_SENT, name
                await caller.is_answered()
                assert hostile.asked == times + 1, name

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("deed", "right"),
    [(twice, 4), (twice_later, 3), (crossed, 3)],
    ids=["at once", "later", "before"],
)
def test_an_answer_too_many_is_nobody_s(tmp_path: Path, deed: Deed, right: int) -> None:
    """An answer that was asked for by nobody reaches no caller, and costs one of them an error at most."""

    async def whole() -> list[Answered]:
        async with before(Hostile(), tmp_path) as caller:
            return [await caller.ask(one) for one in (deed, None, None, None)]

    found = asyncio.run(whole())
    assert [said["outputs"][0]["data"] for status, said in found if status == 200] == [[7.0]] * right
    assert all("'another', which was not asked" in said["error"] for status, said in found if status != 200)


def test_a_password_in_its_address_is_shown_to_nobody() -> None:
    """Whoever is told of the server is told its address, and not who may ask it."""

    async def whole() -> str:
        upstream = Upstream("http://ann:p@ss@127.0.0.1:1/v/", PATIENT_S, MOST_BYTES)
        await upstream.close()
        return upstream.place

    assert asyncio.run(whole()) == "http://127.0.0.1:1/v"
