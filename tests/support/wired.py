"""A connection to an agent, for tests of what goes over the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from served import Function, loaded, ones, request, running

from driftline.agents.serving.agent import Agent
from driftline.agents.serving.slots import Slots

Answer = tuple[int, dict[str, str], Any]


class Line:
    """A connection to an agent that counts what takes a task."""

    def __init__(self, made: Agent, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer, self.tasks = reader, writer, 0
        inner = made.server._inner

        async def counting(scope: Any, receive: Any, send: Any) -> None:
            self.tasks += 1
            await inner(scope, receive, send)

        made.server._inner = counting

    async def answer(self) -> Answer:
        """Read one answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await self.reader.readexactly(int(headers["content-length"]))
        return int(head[0].split(" ")[1]), headers, json.loads(body)

    async def ask(self, *pieces: bytes) -> Answer:
        """Send a request in pieces, which the agent gets one by one unless it is slow, and read the answer."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            if piece is not pieces[-1]:
                await asyncio.sleep(0.002)
        return await self.answer()


def posted(body: bytes = request(), path: str = "churn/infer", more: str = "") -> bytes:
    """Return a request as it goes over the wire."""
    head = f"POST /v2/models/{path} HTTP/1.1\r\nhost: a\r\n{more}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def run(
    make: Callable[[], Agent],
    whole: Callable[[Agent, Line], Awaitable[None]],
    function: Function = ones,
) -> None:
    """Run a test over one connection to an agent whose champion is known to be quick."""

    async def bounded() -> None:
        made = make()
        champion = loaded("1", function)
        champion.pace.took(1e-6, 1)
        made.swapper("churn").deployment.switch(Slots(champion=champion))
        async with asyncio.timeout(60), running(made) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await whole(made, Line(made, reader, writer))
            writer.close()

    asyncio.run(bounded())
