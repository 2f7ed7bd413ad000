"""Callers of an agent over keep-alive connections: quick ones, ones with large bodies, ones that read slowly."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from served import request

LARGE_ROWS = 90_000
"""Rows of three FP32 whose body takes a little over 1 MB."""
LARGE_BYTES = 1_080_000
ANSWER_S = 90.0
"""Within which a request is answered, or is lost: more than an agent may take, and a slow reader after it."""


@dataclass
class Answers:
    """What callers saw.

    Attributes:
        seen: for each answer: when it was asked and answered (monotonic, s), the version, and the number it answered.
        failed: what was no answer.
        rows: of all answers, by version.
    """

    seen: list[tuple[float, float, str, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def reached(self, count: int) -> None:
        """Wait until there are so many answers, or something failed."""
        while len(self.seen) < count and not self.failed:
            self._more.clear()
            await self._more.wait()

    def note(self, seen: tuple[float, float, str, float], rows: int) -> None:
        """Take an answer."""
        self.seen.append(seen)
        self.rows[seen[2]] += rows
        self._more.set()

    def fail(self, why: str) -> None:
        """Take what was none."""
        self.failed.append(why)
        self._more.set()


def small(key: str) -> bytes:
    """Return a request of one row, in JSON."""
    return _posted(request(parameters={"driftline_key": key}))


def padded(key: str) -> bytes:
    """Return a request of one row, in JSON that takes over 1 MB."""
    return _posted(request(parameters={"driftline_key": key}).ljust(LARGE_BYTES))


def large(key: str, count: int = LARGE_ROWS) -> bytes:
    """Return a request of so many rows whose tensor is binary; the answer is binary too."""
    rows = np.zeros((count, 3), np.float32).tobytes()
    head = json.dumps({
        "inputs": [
            {"name": "X", "datatype": "FP32", "shape": [count, 3], "parameters": {"binary_data_size": len(rows)}}
        ],
        "outputs": [{"name": "p", "parameters": {"binary_data": True}}],
        "parameters": {"driftline_key": key},
    }).encode()  # fmt: skip
    return _posted(head + rows, b"inference-header-content-length: %d\r\n" % len(head))


def _posted(body: bytes, more: bytes = b"") -> bytes:
    head = b"POST /v2/models/churn/infer HTTP/1.1\r\nhost: test\r\n" + more
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


async def call(
    port: int, wanted: bytes, answers: Answers, go_on: Callable[[], bool], *, pause_s: float = 0.0
) -> None:
    """Ask again and again over one connection; a slow caller takes its answer in small pieces, with pauses."""
    # Little is read ahead, so that an answer that is not taken stays with the agent.
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4_096)
    try:
        while go_on():
            asked_s = time.monotonic()
            async with asyncio.timeout(ANSWER_S):
                writer.write(wanted)
                await writer.drain()
                head, body = await _answer(reader, pause_s)
            _note(answers, head, body, asked_s)
    except (OSError, asyncio.IncompleteReadError) as error:  # TimeoutError is an OSError
        answers.fail(f"{type(error).__name__}: {error}")
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, pause_s: float) -> tuple[str, bytes]:
    """Read an answer: its headers in small letters, and its body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    body = bytearray()
    length = int(_header(head, "content-length"))
    while len(body) < length:
        piece = await reader.read(min(1_024 if pause_s else 65_536, length - len(body)))
        if not piece:
            raise asyncio.IncompleteReadError(bytes(body), length)
        body += piece
        if pause_s and len(body) % 32_768 < 1_024:
            await asyncio.sleep(pause_s)
    return head, bytes(body)


def _note(answers: Answers, head: str, body: bytes, asked_s: float) -> None:
    if not head.startswith("http/1.1 200"):
        answers.fail(body[:300].decode(errors="replace"))
        return
    size = int(_header(head, "inference-header-content-length") or len(body))
    told: dict[str, Any] = json.loads(body[:size])
    values = (
        np.frombuffer(body[size:], np.float32) if size < len(body) else np.array(told["outputs"][0]["data"])
    )
    if len(set(values.tolist())) != 1:
        answers.fail("one answer holds those of two versions")
    answers.note((asked_s, time.monotonic(), told["model_version"], float(values[0])), len(values))


def _header(head: str, name: str) -> str:
    return next(
        (line.split(":", 1)[1].strip() for line in head.split("\r\n") if line.startswith(name + ":")), ""
    )
