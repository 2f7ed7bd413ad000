"""Ids are made ahead, so that `log` only takes one."""

from __future__ import annotations

from collections import deque

from driftline.agents.emit import ids


def test_a_fast_caller_holds_up_no_sealing() -> None:
    """A pool of ids that is emptied as fast as it is filled is filled so often and no more."""
    pool: deque[bytes] = deque()
    made = 0
    for _ in ids.stock(pool, 8, 1_800_000_000_000):
        pool.clear()
        made += 1
    assert made == 8
    full = deque([b""] * ids.POOL)
    assert list(ids.stock(full, 8, 0)) == []
