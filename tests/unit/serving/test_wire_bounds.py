"""What a connection may take: headers within bounds, time within bounds, and no request that is cut off for it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
from served import agent, ones, request, until
from wired import Line, posted, run

from driftline.agents.serving import app, http, server
from driftline.agents.serving.agent import Agent


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"POST /v2/models/", b"b" * 4_096),
        (b"POST /v2/models/churn/infer HTTP/1.1\r\n", b"a: " + b"b" * 1_000 + b"\r\n"),
        (b"POST /v2/models/churn/infer HTTP/1.1\r\na: ", b"b" * 4_096),
        (
            posted(b"").replace(b"content-length: 0", b"transfer-encoding: chunked") + b"0\r\n",
            b"a: b\r\n" * 100,
        ),
    ],
)
def test_headers_without_an_end_take_no_memory(tmp_path: Path, first: bytes, piece: bytes) -> None:
    """A path, headers, one header, or what follows the last chunk: past 64 KiB the connection is closed."""

    async def whole(made: Agent, line: Line) -> None:
        line.writer.write(first)
        for _ in range(2_000_000 // len(piece)):
            line.writer.write(piece)
        with suppress(ConnectionError):
            await line.reader.read()
        await until(lambda: not made.server.server_state.connections)
        assert made.bodies.held == 0

    run(lambda: agent(tmp_path), whole)


def test_paths_of_strangers_are_not_remembered(tmp_path: Path) -> None:
    """Routes of short paths are kept, so that a model is found fast; a thousand of 60 KB were 200 MB for ever."""

    async def whole(_made: Agent, line: Line) -> None:
        for route in (app._route, app._plain_route):
            route.cache_clear()
        assert (await line.ask(posted()))[0] == 200
        for number in range(3):
            assert (await line.ask(posted(path=f"churn/versions/{'a' * 50_000}{number}/infer")))[0] == 404
        assert (await line.ask(posted()))[0] == 200
        for route in (app._route, app._plain_route):
            assert route.cache_info().currsize == 1

    run(lambda: agent(tmp_path), whole)


def test_whoever_never_sends_a_whole_head_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that says nothing, one of half a head, also after an answer, and one that adds a byte now and then."""
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 1)

    async def whole(made: Agent, line: Line) -> None:
        port = line.writer.get_extra_info("peername")[1]
        _, half = await asyncio.open_connection("127.0.0.1", port)
        half.write(b"POST /v2")
        assert (await line.ask(posted()))[0] == 200
        _, slow = await asyncio.open_connection("127.0.0.1", port)
        opened = made.server.server_state.connections
        await until(lambda: len(opened) == 3)
        line.writer.write(b"POST /v2")
        clock = asyncio.get_running_loop().time
        began_s = clock()
        while opened and clock() < began_s + 20:
            slow.write(b"P" if clock() < began_s + 0.1 else b"x")
            await asyncio.sleep(0.1)
        assert not opened

    run(lambda: agent(tmp_path), whole)


def test_connections_are_bounded_though_nothing_is_asked(tmp_path: Path) -> None:
    """Those above the number are told so when they ask; past twice as many each is closed at once."""

    async def whole(made: Agent, line: Line) -> None:
        port = line.writer.get_extra_info("peername")[1]
        opened = made.server.server_state.connections
        faults: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        await until(lambda: len(opened) == 4)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        assert (await line.ask(posted()))[0] == 503
        for _, other in others:
            other.close()
        await until(lambda: not opened)
        assert not faults

    run(lambda: agent(tmp_path, connections=2), whole)


@pytest.mark.parametrize("is_taken", [True, False])
def test_whoever_takes_no_answer_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_taken: bool
) -> None:
    """A large answer counts as under way until it is taken, slowly or not; once nothing is taken, it is let go of."""
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 1)

    async def whole(made: Agent, line: Line) -> None:
        opened = made.server.server_state.connections
        await until(lambda: opened)
        for side in (line.writer, next(iter(opened)).transport):
            for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                side.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, buffer, 16_384)
        line.writer.write(posted(request(60_000)))
        head = await line.reader.readuntil(b"\r\n\r\n")
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        assert length > 2 * http.LARGE_BYTES
        transport = cast("asyncio.ReadTransport", line.writer.transport)
        taken, clock = 0, asyncio.get_running_loop().time
        began_s = clock()
        while is_taken and taken < length:
            taken += len(await line.reader.read(2_048))
            assert made.bodies.held or taken > length - 5 * http.LARGE_BYTES
            await asyncio.sleep(0.02)
        if is_taken:
            assert clock() - began_s > 2
        else:
            transport.pause_reading()
            assert made.bodies.held > 0
            await until(lambda: not opened)
        await until(lambda: made.bodies.held == 0)

    run(lambda: agent(tmp_path), whole)


def test_more_connections_than_may_be_are_told(tmp_path: Path) -> None:
    """Past `serve.connections` a request is answered 503 with the figures and when to come again, and closed."""

    async def whole(made: Agent, line: Line) -> None:
        port = line.writer.get_extra_info("peername")[1]
        second = Line(made, *await asyncio.open_connection("127.0.0.1", port))
        assert [(await one.ask(posted()))[0] for one in (line, second)] == [200, 200]
        third = Line(made, *await asyncio.open_connection("127.0.0.1", port))
        status, headers, told = await third.ask(posted())
        assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
        assert told == {"error": "3 connections are open and 1 requests under way; 2 may be"}
        assert await third.reader.read() == b""
        assert (await line.ask(posted()))[0] == 200

    run(lambda: agent(tmp_path, connections=2), whole)


def test_a_request_under_way_is_not_cut_off_as_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes longer than connections are kept is answered, also behind one that was answered at once."""
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 1)

    def slow(inputs: Mapping[str, Any]) -> dict[str, Any]:
        if len(inputs["X"]) > 1:
            assert threading.current_thread() is not threading.main_thread()
            time.sleep(2.2)
        return ones(inputs)

    async def whole(made: Agent, line: Line) -> None:
        champion = made.deployments["churn"].slots.champion
        assert champion is not None
        champion.pace.took(0.0001, 1)
        line.writer.write(posted() + posted(request(5_000)))
        assert [(await line.answer())[0] for _ in range(2)] == [200, 200]
        assert line.tasks == 1

    run(lambda: agent(tmp_path), whole, slow)
