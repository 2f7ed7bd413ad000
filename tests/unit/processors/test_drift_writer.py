"""The order in which the drift worker writes a checkpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any

from driftline.streams.processors.drift_writer import Writer
from driftline.streams.windows.checkpoint import Checkpoint


def test_a_tombstone_goes_last() -> None:
    """States, then books, then the partition row, then tombstones: a cold window's state outlives the word for it."""
    sent: list[tuple[str, bytes, bytes | None]] = []

    async def send(topic: str, key: bytes, value: bytes | None, *_: object) -> Awaitable[None]:
        sent.append((topic, key, value))
        return asyncio.sleep(0)

    app = SimpleNamespace(producer=SimpleNamespace(send=send))
    table: Any = SimpleNamespace(values={}, to_rewrite=set())
    plan = Checkpoint(
        position=7,
        states=[(b"state", b"1")],
        books=[(b"book", b"2")],
        partition_row=(b"row", b"3"),
        tombstones=[b"cold"],
    )

    asyncio.run(Writer(app, "changelog", "windows", table, lambda: True).write({2: plan}))

    assert [key for _, key, _ in sent] == [b"state", b"book", b"row", b"cold"]
    assert sent[-1] == ("changelog", b"cold", None)
