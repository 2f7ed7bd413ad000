"""A desk of the alerts worker that is killed at random, and what it has told by the end."""

from __future__ import annotations

from bad_windows import OneBook
from hypothesis import strategies as st

from driftline.streams.alerts.desk import Desk

NOW_MS = 7
CRASHES = 6


def told_over_crashes(book: OneBook, records: list[bytes], data: st.DataObject) -> list[bytes]:
    """Take records in, killed after any of the writes of any commit; gives every edge in the order of sending."""
    store: dict[bytes, bytes] = {}
    told: list[bytes] = []
    offset, desk = 0, Desk("t", book)
    crashes = 0
    while True:
        size = data.draw(st.integers(1, 10))
        for value in records[offset : offset + size]:
            desk.take(offset, value, NOW_MS)
            offset += 1
        cases, edges, row = desk.commit()
        writes: list[tuple[bytes, bytes] | bytes] = [*cases, *(content for _, content in edges), row]  # type: ignore[list-item]
        is_killed = crashes < CRASHES and data.draw(st.booleans())
        done = data.draw(st.integers(0, len(writes) - 1)) if is_killed else len(writes)
        for write in writes[:done]:
            if isinstance(write, bytes):
                told.append(write)
            else:
                store[write[0]] = write[1]
        if is_killed:
            crashes += 1
            desk = Desk("t", book)
            told += [content for _, content in desk.restore(store)]
            offset = desk.offset + 1
        elif offset >= len(records):
            return told


def told_without(book: OneBook, records: list[bytes]) -> list[bytes]:
    """Give the edges of a worker that is never killed."""
    desk = Desk("t", book)
    for offset, value in enumerate(records):
        desk.take(offset, value, NOW_MS)
    return [data for _, data in desk.commit().edges]
