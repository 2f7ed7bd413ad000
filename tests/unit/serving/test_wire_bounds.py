"""What a connection may take: headers within bounds, time within bounds, and no request that is cut off for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from served import agent, ones, request, until
from wired import Line, posted, run

from driftline.agents.serving import app, server
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
