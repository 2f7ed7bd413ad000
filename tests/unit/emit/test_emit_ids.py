"""Ids are made ahead, so that `log` only takes one."""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from emit_fakes import columns_of, sink

from driftline.agents.emit import ids
from driftline.schemas.ids import id_of

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


class NoText:
    """An id that fails when it is read."""

    def __len__(self) -> int:
        """No length either."""
        raise RuntimeError


@pytest.mark.parametrize("bad", ["", "x" * 1_001, "\ud800", b"short", 1.5, True, None, NoText()])
@pytest.mark.parametrize("timed", [True, False])
def test_an_id_that_can_be_none_costs_its_row_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, bad: Any, *, timed: bool
) -> None:
    """Of three rows the one with a bad id is invalid, said with its cause; the others travel with theirs."""
    at = {"at": [1, 2, 3]} if timed else {}
    with sink(tmp_path) as out, caplog.at_level(logging.WARNING, "driftline.emit"):
        keys = out.emitter.log_many({"a": [1.0, 2.0, 3.0]}, ids=["ok", bad, "ok2"], **at)  # type: ignore[arg-type]
        batch = out.batch()
        assert out.stats().dropped == {"invalid": 1}
    assert columns_of(batch) == {"a": [1, 3]}
    assert batch.original_ids == ["ok", "ok2"]
    assert (
        [bytes(key) for key in keys[[0, 2]]]
        == [id_of("ok"), id_of("ok2")]
        == [bytes(key) for key in batch.ids]
    )
    assert len({bytes(key) for key in keys}) == 3
    assert any("dropped as invalid: the id" in record.message for record in caplog.records)


def test_a_frames_row_without_an_id_is_refused_alone(tmp_path: Path) -> None:
    """A missing id in a frame costs its row alone, beside one that has no time."""
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "k": ["x", None, "z"], "t": [1, 2, -3]})
    with sink(tmp_path) as out:
        out.emitter.log_frame(frame, id="k", at="t")
        assert columns_of(out.batch()) == {"a": [1]}
        assert out.stats().dropped == {"invalid": 2}
