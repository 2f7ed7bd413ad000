"""Server: uvicorn around the application, on a port that several processes may share, and a stop that loses nothing.

1. Told to stop, the agent is not ready any more, and closes each connection after its answer.
2. It goes on answering for a while, until those who send requests have noticed.
3. It takes no new connection, and ends when the requests under way are answered.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import uvicorn

from driftline.agents.serving.errors import UNAVAILABLE, AnswerError, ServingError
from driftline.agents.serving.http import send_error
from driftline.agents.serving.wire import Wire
from driftline.schemas.ports import why_none

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import FrameType

    from driftline.agents.serving.http import Headers, Receive, Scope, Send
    from driftline.agents.serving.wire import AtOnce

BACKLOG: Final = 2_048
KEEP_ALIVE_S: Final = 75


class Server(uvicorn.Server):
    """One process's server.

    Args:
        app: the application.
        at_once: answers what it can without waiting, as `wire` has it.
        connections: most at once, and most requests; what is more is answered 503.
        drain_s: how long it goes on answering when it is told to stop, s.
        stop_s: how long requests under way are waited for after that, s.
    """

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        at_once: AtOnce,
        *,
        connections: int,
        drain_s: float,
        stop_s: float,
    ) -> None:
        self._inner, self._at_once, self._most, self._drain_s = app, at_once, connections, drain_s
        self.is_draining = False
        self.stopping = asyncio.Event()
        """Set when it was told to stop."""
        self.listens: Callable[[], None] = lambda: None
        """Called once connections are taken."""
        super().__init__(
            uvicorn.Config(
                self._served,
                loop="none",
                http=cast("type[asyncio.Protocol]", partial(Wire, self._answered, connections)),
                ws="none",
                lifespan="off",
                interface="asgi3",
                access_log=False,
                log_config=None,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=max(1, round(stop_s)),
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and tell of it."""
        await super().startup(sockets)
        self.listens()

    def stop(self) -> None:
        """Begin to stop."""
        if self.is_draining:
            return
        self.is_draining = True
        self.stopping.set()
        asyncio.get_running_loop().call_later(self._drain_s, self._exit)

    def _exit(self) -> None:
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal; a second Ctrl-C ends it at once."""
        del frame
        if self.is_draining and sig == signal.SIGINT:
            self.should_exit = True
        asyncio.get_running_loop().call_soon_threadsafe(self.stop)

    def _answered(self, path: bytes, headers: Headers, body: bytes) -> object:
        return None if self.is_draining else self._at_once(path, headers, body)

    async def _served(self, scope: Scope, receive: Receive, send: Send) -> None:
        opened, under_way = len(self.server_state.connections), len(self.server_state.tasks)
        if max(opened, under_way) > self._most:
            sentence = (
                f"{opened:,} connections are open and {under_way:,} requests under way; {self._most:,} may be"
            )
            await send_error(self._closing(send), AnswerError(UNAVAILABLE, sentence, retry_after_s=1))
        else:
            await self._inner(scope, receive, self._closing(send) if self.is_draining else send)

    def _closing(self, send: Send) -> Send:
        async def last(message: Any) -> None:  # noqa: ANN401 - as ASGI has it
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        return last


def listening(host: str, port: int, *, shared: bool) -> socket.socket:
    """Open a socket that takes connections.

    Args:
        host: address to listen on.
        port: 0 takes a free one.
        shared: whether other processes may listen on it too (SO_REUSEPORT); then it is bound and does not listen yet,
            so that whoever holds it alone is sent no connection.

    Raises:
        ServingError: it cannot be had, as when another process listens there.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            found.bind((host, port))
            if not shared:
                # Two that are bound alone do not keep each other from the port; of two that listen the second fails.
                found.listen(BACKLOG)
        except BaseException:
            found.close()
            raise
    except (OSError, UnicodeError) as error:
        raise ServingError(
            f"{host}:{port} cannot be listened on ({why_none(error)}): name another with serve.host and serve.port"
        ) from error
    found.setblocking(False)  # noqa: FBT003 - as sockets have it
    return found
