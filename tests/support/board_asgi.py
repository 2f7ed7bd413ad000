"""The board's application asked without a server, over a source that is told what to say."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import uvicorn

from driftline.deploy.board.web.app import App
from driftline.deploy.board.web.errors import NoFiguresError
from driftline.deploy.board.web.guard import Guard
from driftline.deploy.local.ports import free_port
from driftline.schemas.settings_board import Board

SHOWN = {"from": 1_700_000_000_000, "to": 1_700_086_400_000}


class Told:
    """A source that notes what it is asked and gives what it was told."""

    def __init__(
        self,
        error: NoFiguresError | None = None,
        *,
        only: str = "",
        value: str = "a",
        forever: bool = False,
    ) -> None:
        """Take what to say.

        Args:
            error: refuses.
            only: refuse only statements that hold this.
            value: the first of two values of the one column.
            forever: never answer.
        """
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.given_up = False
        self._error, self._only, self._value, self._forever = error, only, value, forever

    async def answer(self, sql: str, parameters: dict[str, Any]) -> bytes:
        """Note a question and answer it, refuse it, or never answer."""
        self.asked.append((sql, dict(parameters)))
        if self._error is not None and self._only in sql:
            raise self._error
        if self._forever:
            try:
                await asyncio.Event().wait()
            finally:
                self.given_up = True
        columns = {"value": [self._value, "b"]}
        return msgspec.json.encode(
            {"meta": [{"name": "value", "type": "String"}], "data": columns, "rows": 2}
        )

    async def rows(self, sql: str, parameters: dict[str, Any]) -> dict[str, list[Any]]:
        """The columns of an answer."""
        columns: dict[str, list[Any]] = msgspec.json.decode(await self.answer(sql, parameters))["data"]
        return columns


@dataclass(frozen=True)
class Answer:
    """What came back; `said` is its JSON, where it is some."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        """The JSON of the body."""
        return msgspec.json.decode(self.body)

    @property
    def sentence(self) -> str:
        """The sentence of a trouble."""
        text: str = self.said["error"]["sentence"]
        return text


def app(source: Any = None, *, token: str = "", now: float = 1_000.0, **board: Any) -> App:
    """An application over a source that was told what to say."""
    settings = Board(**board)
    return App(Told() if source is None else source, Guard(settings, token, lambda: now), settings.runbooks)


def ask(
    application: App,
    method: str,
    target: str,
    body: object = None,
    *,
    leaves: bool = False,
    **headers: str,
) -> Answer:
    """Send one request, as a browser of the board's own page does, and give the answer; `leaves` before it comes."""
    path, _, query = target.partition("?")
    raw = b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
    given = {"host": "127.0.0.1:8000", "content-type": "application/json", **headers}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
    }
    sent: list[Any] = []

    async def run() -> None:
        parts = [{"type": "http.request", "body": raw, "more_body": False}]

        async def receive() -> Any:
            if parts:
                return parts.pop()
            if not leaves:
                await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        async with asyncio.timeout(10):
            await application(scope, receive, send)

    asyncio.run(run())
    if not sent:
        return Answer(0, {}, b"")
    got = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    whole = sent[1]["body"]
    return Answer(sent[0]["status"], got, gzip.decompress(whole) if got.get("content-encoding") else whole)


@contextmanager
def serving(application: App) -> Iterator[str]:
    """Serve an application from a thread of this process, and give its address."""
    port = free_port(set())
    config = uvicorn.Config(
        application,
        port=port,
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        assert server.started
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
