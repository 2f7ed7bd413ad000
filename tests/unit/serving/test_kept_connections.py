"""How long a connection is kept, and what it keeps: by a clock that is moved by hand, over a transport that is none."""

from __future__ import annotations

import asyncio
import gc
import re
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from driftline.agents.serving.http import LARGE_BYTES, Headers, answered, send
from driftline.agents.serving.wire import PIECE_BYTES, Wire

KEEP_S = 75


class Hands:
    """A loop whose timers go by a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.timers: list[asyncio.TimerHandle] = []

    def time(self) -> float:
        """Give the time, s."""
        return self.now_s

    def call_soon(self, function: Callable[..., Any], *given: Any) -> asyncio.Handle:
        """Call a function soon."""
        return asyncio.get_running_loop().call_soon(function, *given)

    def call_later(self, delay_s: float, function: Callable[..., Any], *given: Any) -> asyncio.TimerHandle:
        """Call a function when the clock has come so far."""
        loop = asyncio.get_running_loop()
        timer = asyncio.TimerHandle(self.now_s + delay_s, function, given, loop)
        self.timers.append(timer)
        return timer

    def create_task(self, work: Any, **given: Any) -> asyncio.Task[None]:
        """Begin a task."""
        return asyncio.get_running_loop().create_task(work, **given)

    def pass_s(self, seconds: float) -> None:
        """Move the clock on, and call what is due."""
        end_s = self.now_s + seconds
        while due := [one for one in self.timers if one.when() <= end_s]:
            first = min(due, key=asyncio.TimerHandle.when)
            self.timers.remove(first)
            self.now_s = max(self.now_s, first.when())
            if not first.cancelled():
                first._run()
        self.now_s = end_s


class Kept(asyncio.Transport):
    """Keeps what is written, and says how much of it nobody has taken yet."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.untaken, self.is_open, self.is_read = b"", 0, True, True

    def write(self, data: Any) -> None:
        """Keep."""
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        """Give the bytes that nobody has taken, as the test says."""
        return self.untaken

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return not self.is_open

    def pause_reading(self) -> None:
        """Give nothing more to the protocol."""
        self.is_read = False

    def resume_reading(self) -> None:
        """Give more again."""
        self.is_read = True

    def close(self) -> None:
        """End."""
        self.is_open = False

    abort = close

    @property
    def answers(self) -> int:
        """How many there are."""
        return self.written.count(b"HTTP/1.1 200")


class World:
    """A connection.

    `/quick` is answered at once, `/task` by a task, `/slow` by one that waits for `go`, `/large` by much, `/told` by
    what follows `?` and the length of its body.
    """

    def __init__(self) -> None:
        self.hands, self.transport, self.go = Hands(), Kept(), asyncio.Event()
        config = uvicorn.Config(
            self._app,
            loop="none",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_S,
        )
        config.load()
        self.wire = Wire(
            self._at_once, 9, config=config, server_state=ServerState(), app_state={}, _loop=self.hands
        )
        self.wire.connection_made(self.transport)

    async def ask(self, path: str) -> None:
        """Ask, and let tasks go on as far as they come."""
        self.wire.data_received(b"POST %b HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\na" % path.encode())
        await self.tasks()

    async def tasks(self) -> None:
        """Let tasks go on as far as they come."""
        for _ in range(20):
            await asyncio.sleep(0)

    def _at_once(self, path: bytes, _headers: Headers, _body: bytes) -> object:
        return answered(200, b"{}") if path == b"/quick" else None

    async def _app(self, scope: Any, receive: Any, to: Any) -> None:
        path, size, message = scope["path"], 0, {"more_body": True}
        while message["more_body"]:
            message = await receive()
            size += len(message["body"])
        if path == "/slow":
            await self.go.wait()
        told = b"<%b %d>" % (scope["query_string"], size) if path == "/told" else b"{}"
        await send(to, 200, b" " * (LARGE_BYTES + 1) if path == "/large" else told)


def lived(whole: Callable[[World], Awaitable[None]]) -> None:
    """Run a test."""

    async def bounded() -> None:
        await whole(World())

    asyncio.run(bounded())


def test_what_a_task_answered_ends_no_connection_that_is_asked_again() -> None:
    """A while after an answer by a task, requests that are answered at once go on, and one that is under way ends."""

    async def whole(world: World) -> None:
        await world.ask("/task")
        for _ in range(5):
            world.hands.pass_s(KEEP_S / 3)
            await world.ask("/quick")
            assert world.transport.is_open
        assert world.transport.answers == 6
        await world.ask("/task")
        world.hands.pass_s(KEEP_S - 1)
        await world.ask("/slow")
        world.hands.pass_s(3 * KEEP_S)
        assert world.transport.is_open
        world.go.set()
        await world.tasks()
        assert (world.transport.answers, world.transport.is_open) == (8, True)
        world.hands.pass_s(2 * KEEP_S)
        assert not world.transport.is_open

    lived(whole)


@pytest.mark.parametrize("path", ["/quick", "/task", "/large"])
def test_answers_that_are_taken_late_are_no_answers_that_nobody_takes(path: str) -> None:
    """Each answer leaves as many bytes for a while, and the connection is kept; it ends when the last one stays."""

    async def whole(world: World) -> None:
        for _ in range(6):
            world.transport.untaken = 0
            await world.ask(path)
            world.transport.untaken = 50_000
            world.hands.pass_s(KEEP_S / 2)
            assert world.transport.is_open
        assert world.transport.answers == 6
        world.hands.pass_s(2 * KEEP_S)
        assert not world.transport.is_open

    lived(whole)


def test_a_pipeline_is_read_no_faster_than_it_is_answered() -> None:
    """Requests of a few bytes take a hundred times that in memory: few are begun, and each is answered in its order."""
    sizes = [7_000 * (number % 7) for number in range(60)] + [0] * 3_000
    head = b"POST /told?%d HTTP/1.1\r\ncontent-length: %d\r\n\r\n"
    asked = b"".join(head % (number, size) + b"a" * size for number, size in enumerate(sizes))

    async def whole(world: World) -> None:
        at, most, most_rest = 0, 0, 0
        for _ in range(2 * len(sizes)):
            if at < len(asked) and world.transport.is_read:
                world.wire.data_received(asked[at : at + 100_000])
                at += 100_000
            most, most_rest = max(most, len(world.wire.pipeline)), max(most_rest, len(world.wire._rest))
            await world.tasks()
        found = re.findall(rb"<(\d+) (\d+)>", world.transport.written)
        assert [(int(one), int(size)) for one, size in found] == list(enumerate(sizes))
        assert most <= PIECE_BYTES // len(head)
        assert most_rest <= 100_000
        assert world.transport.is_read

    lived(whole)


def test_what_is_read_on_after_a_pipeline_may_be_half_a_head() -> None:
    """Nothing of it is answered before more comes, so that more has to be read."""
    first, following = b"POST /slow HTTP/1.1\r\na: %b\r\n\r\n", b"POST /told?7 HTTP/1.1\r\n\r\n"
    filled = first % (b"b" * (PIECE_BYTES - len(first % b"") - len(following))) + following

    async def whole(world: World) -> None:
        world.wire.data_received(filled + following[:9])
        await world.tasks()
        assert not world.transport.is_read
        world.go.set()
        await world.tasks()
        assert world.transport.is_read
        world.wire.data_received(following[9:])
        await world.tasks()
        assert world.transport.written.count(b"<7 0>") == 2

    lived(whole)


@pytest.mark.parametrize("is_under_way", [True, False])
def test_a_connection_that_ended_leaves_no_garbage(*, is_under_way: bool) -> None:
    """Its memory is free at once: the agent looks for circles seldom."""

    async def whole(world: World) -> None:
        await world.ask("/task")
        if is_under_way:
            await world.ask("/slow")
        ended = weakref.ref(world.wire)
        world.transport.close()
        world.wire.connection_lost(None)
        del world.wire
        world.go.set()
        await world.tasks()
        assert ended() is None

    gc.disable()
    try:
        lived(whole)
    finally:
        gc.enable()
