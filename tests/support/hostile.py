"""A v2 server on loopback that does one thing wrong, and answers all other requests as it should."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

PIECE = b"x" * (1 << 16)
MOST_PIECES = 1_024
"""How many pieces are sent to whoever takes them: 64 MiB."""


@dataclass
class Hostile:
    """What the next request meets.

    Attributes:
        deed: is given the request's id and where an answer goes; None: a right answer.
        times: how many more requests meet it.
        sent: pieces of a flood that were taken.
        asked: requests that came.
        answered: set by the test once its request was answered.
        left: connections that the other side has left while it was to wait.
    """

    deed: Deed | None = None
    times: int = 1
    sent: int = 0
    asked: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    left: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length:")[1].split()[0])
                length = int(head.lower().split(b"inference-header-content-length:")[1].split()[0])
                identity = json.loads((await reader.readexactly(size))[:length])["id"]
                self.asked += 1
                deed = self.deed if self.deed is not None and self.times else right
                self.times -= deed is not right
                await deed(Met(self, identity, reader, writer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@dataclass
class Met:
    """A request that meets a deed: its id, and the connection that it came over."""

    hostile: Hostile
    identity: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def is_left(self) -> None:
        """Wait until whoever asked hangs up."""
        with contextlib.suppress(ConnectionError):
            await self.reader.read()
        self.hostile.left += 1


Deed = Callable[[Met], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(hostile: Hostile) -> AsyncIterator[str]:
    """Let it listen; gives its address."""
    server = await asyncio.start_server(hostile.serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def told(identity: str | None, *, data: bytes = struct.pack("<f", 7.0), **fields: Any) -> bytes:
    """Return an answer to a request of one row: `data` behind its JSON, `fields` those of its output, and `version`."""
    output = {"name": "p", "datatype": "FP32", "shape": [1, 1], "parameters": {"binary_data_size": 4}}
    whole = {"model_name": "churn", "model_version": fields.pop("version", "7"), "id": identity}
    head = json.dumps(whole | {"outputs": [output | fields]}).encode()
    return whole_answer(head + data, b"Inference-Header-Content-Length: %d\r\n" % len(head))


def whole_answer(body: bytes, more: bytes = b"", status: bytes = b"200 OK") -> bytes:
    """Return an answer as it goes over the wire."""
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), more, body)


async def right(met: Met) -> None:
    """Answer 7."""
    met.writer.write(told(met.identity))


async def crossed(met: Met) -> None:
    """Answer something else, and what was asked once the caller has gone on."""
    met.writer.write(told("another", data=struct.pack("<f", 666.0)))
    await met.hostile.answered.wait()
    await right(met)


def saying(data: bytes) -> Deed:
    """Say some bytes and hang up."""

    async def deed(met: Met) -> None:
        met.writer.write(data)
        met.writer.close()

    return deed


def waiting(data: bytes) -> Deed:
    """Say some bytes and nothing more."""

    async def deed(met: Met) -> None:
        met.writer.write(data)
        await met.is_left()

    return deed


def answering(**fields: Any) -> Deed:
    """Answer in the right form; `fields` as `told` has them, `id` over that of the request."""

    async def deed(met: Met) -> None:
        more = dict(fields)
        met.writer.write(told(more.pop("id", met.identity), **more))

    return deed


def flooding(head: bytes, piece: bytes = PIECE) -> Deed:
    """Say a head, and pieces of a body for as long as somebody takes them."""

    async def deed(met: Met) -> None:
        met.writer.write(head)
        while met.hostile.sent < MOST_PIECES:
            met.writer.write(piece)
            await met.writer.drain()
            met.hostile.sent += 1
        met.writer.close()

    return deed


async def dripping(met: Met) -> None:
    """Say a byte of a body every now and then, and never the last one."""
    met.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    left = asyncio.ensure_future(met.is_left())
    while not left.done():
        met.writer.write(b"x")
        await asyncio.wait([left], timeout=0.05)


async def twice(met: Met) -> None:
    """Answer, and answer once more in the same breath."""
    met.writer.write(told(met.identity) + told("another", data=struct.pack("<f", 666.0)))


async def twice_later(met: Met) -> None:
    """Answer, and once that has arrived answer once more."""
    met.writer.write(told(met.identity))
    await met.writer.drain()
    await met.hostile.answered.wait()
    met.writer.write(told("another", data=struct.pack("<f", 666.0)))
