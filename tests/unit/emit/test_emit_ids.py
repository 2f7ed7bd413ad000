"""Ids are made ahead, so that `log` only takes one."""

from __future__ import annotations

from collections import deque

from driftline.agents.emit import ids

NOW_MS = 1_800_000_000_000


def test_a_fast_caller_holds_up_no_sealing() -> None:
    """A pool that is emptied as fast as it is filled is filled once; one that grows all the same is filled on."""
    pool: deque[bytes] = deque()
    made = 0
    for _ in ids.stock(pool, NOW_MS):
        pool.clear()
        made += 1
    assert made == 1
    for _ in ids.stock(pool, NOW_MS):
        pool.popleft()
    assert len(pool) == ids.POOL - ids.POOL // ids.AHEAD


def test_a_pool_is_filled_and_no_further() -> None:
    """A pool that nobody takes from is filled at once, and a full one is left as it is; `most` bounds it."""
    pool: deque[bytes] = deque()
    assert len(list(ids.stock(pool, NOW_MS, 2))) == 2
    assert len(pool) == 2 * ids.AHEAD
    for _ in ids.stock(pool, NOW_MS):
        pass
    assert len(set(pool)) == ids.POOL
    assert list(ids.stock(pool, NOW_MS)) == []
