"""How long a connection is kept: by a clock that is moved by hand, over a transport that keeps what it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from driftline.agents.serving.http import LARGE_BYTES, Headers, answered, send
from driftline.agents.serving.wire import Wire

KEEP_S = 75


class Hands:
    """A loop whose timers go by a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.timers: list[asyncio.TimerHandle] = []

    def time(self) -> float:
        """Give the time, s."""
        return self.now_s

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
        self.written, self.untaken, self.is_open = b"", 0, True

    def write(self, data: Any) -> None:
        """Keep."""
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        """Give the bytes that nobody has taken, as the test says."""
        return self.untaken

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return not self.is_open

    def close(self) -> None:
        """End."""
        self.is_open = False

    abort = close

    @property
    def answers(self) -> int:
        """How many there are."""
        return self.written.count(b"HTTP/1.1 200")


class World:
    """A connection: `/quick` is answered at once, `/task` by a task, `/slow` by one that waits for `go`."""

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
        await receive()
        if scope["path"] == "/slow":
            await self.go.wait()
        await send(to, 200, b" " * (LARGE_BYTES + 1) if scope["path"] == "/large" else b"{}")


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
