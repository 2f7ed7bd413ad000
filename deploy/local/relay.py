"""TLS before a server on loopback that speaks none, in a thread of its process. Standard library alone.

The engine of the local ClickHouse opens no HTTPS: its plain port is told to nobody, and this one is the door.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import suppress

CONNECTIONS = 256
"""Held at a time; one more is closed as it comes."""
HANDSHAKE_SECONDS = 10.0
CHUNK_BYTES = 1 << 18
_CONNECT_SECONDS = 5.0
_HOST = "127.0.0.1"


class Relay:
    """The door: it listens from the start, and passes on what comes once it is `opened`.

    Args:
        port: to listen on.
        inner_port: of the server; connections that come before it listens are closed.
        certificate: file of the certificate and its key, read now.
    """

    def __init__(self, port: int, inner_port: int, certificate: str) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.load_cert_chain(certificate)
        self._listener = socket.create_server((_HOST, port), backlog=128)
        self._inner_port, self._held = inner_port, 0

    def opened(self) -> None:
        """Serve in a thread that lives as long as the process."""
        threading.Thread(target=asyncio.run, args=(self.run(),), name="tls", daemon=True).start()

    async def run(self) -> None:
        """Serve until the process ends."""
        server = await asyncio.start_server(
            self._take,
            sock=self._listener,
            ssl=self._context,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            limit=CHUNK_BYTES,
        )
        await server.serve_forever()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._held >= CONNECTIONS:
            writer.close()
            return
        self._held += 1
        try:
            await self._join(reader, writer)
        finally:
            self._held -= 1
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner = asyncio.open_connection(_HOST, self._inner_port, limit=CHUNK_BYTES)
            answers, asks = await asyncio.wait_for(inner, _CONNECT_SECONDS)
        except (OSError, TimeoutError):
            return
        ways = [asyncio.ensure_future(_pass(reader, asks)), asyncio.ensure_future(_pass(answers, writer))]
        try:
            # HTTP ends a connection on both sides at once.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            asks.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, ssl.SSLError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
