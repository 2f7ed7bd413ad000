"""Calls of `log_many` with few rows share batches, and what they hold travels as it would in a call of many."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from emit_fakes import NOBODY, columns_of, levels_of, numbers_of, sink

from driftline.agents.emit import Emitter

ROWS = 120


def table() -> dict[str, Any]:
    """Columns of every type that an application may give, `ROWS` long."""
    rows = np.arange(ROWS)
    return {
        "float": rows / 3,
        "narrow": (rows / 3).astype(np.float32),
        "great": rows + 2**24,
        "flag": rows % 2 == 0,
        "masked": np.ma.MaskedArray(rows, mask=rows % 3 == 0),
        "time": rows.astype("datetime64[D]"),
        "text": [f"level-{row % 4}" for row in range(ROWS)],
        "gaps": [None if row % 5 == 0 else row / 2 for row in range(ROWS)],
        "mixed": [1.5 if row % 7 else "text" for row in range(1, ROWS + 1)],
        "nan": np.where(rows % 2 == 0, np.nan, rows),
    }


def facts() -> dict[str, Any]:
    """What may stand beside them."""
    return {
        "predicted": np.arange(ROWS) % 3,
        "latency_ms": np.arange(ROWS) / 8,
        "status": ["ok" if row % 2 else None for row in range(ROWS)],
        "segments": {"region": [f"r{row % 2}" for row in range(ROWS)], "tier": np.arange(ROWS) % 4},
        "at": np.arange(ROWS) + 1_700_000_000_000,
        "ids": [f"order-{row}" for row in range(ROWS)],
    }


def part(value: Any, start: int, stop: int) -> Any:
    """Some rows of every column of a table."""
    if isinstance(value, dict):
        return {name: part(one, start, stop) for name, one in value.items()}
    return value[start:stop]


def told(batch: Any) -> dict[str, Any]:
    """Everything that a batch says of its rows."""
    return {
        "features": {name: list(map(str, column)) for name, column in sorted(columns_of(batch).items())},
        "types": sorted((name, block.values.dtype.name) for block in batch.features for name in block.names),
        "scores": [(block.names, numbers_of(block)) for block in batch.scores],
        "predicted": levels_of(batch.predicted),
        "latency": batch.latency_ms.tolist(),
        "status": levels_of(batch.status),
        "segments": {one.name: levels_of(one) for one in batch.segments},
        "times": batch.times_ms.tolist(),
        "ids": (batch.ids.tolist(), batch.original_ids),
    }


@pytest.mark.parametrize("rows", [1, 3, 30, 50])
@pytest.mark.parametrize("several", [True, False])
def test_few_rows_at_a_time_travel_as_many(tmp_path: Path, rows: int, *, several: bool) -> None:
    """One batch of many small calls says what one batch of one great call says."""
    scores: Any = np.arange(ROWS) / ROWS
    scores = {"a": scores, "b": scores.tolist()} if several else scores
    found = []
    for step in (rows, ROWS):
        with sink(tmp_path / str(step), linger_s=1.0) as out:
            for start in range(0, ROWS, step):
                stop = start + step
                out.emitter.log_many(
                    part(table(), start, stop), part(scores, start, stop), **part(facts(), start, stop)
                )
            found.append(told(out.batch()))
    assert found[0] == found[1]


@pytest.mark.parametrize("many", [True, False])
def test_calls_of_one_row_share_batches(tmp_path: Path, *, many: bool) -> None:
    """Rows in calls of one, by `log_many` as by `log`, make batches that are full or have lingered."""
    began_s = time.monotonic()
    with sink(tmp_path) as out:
        for row in range(2_000):
            if many:
                out.emitter.log_many({"a": [float(row)]}, [0.5])
            else:
                out.emitter.log({"a": float(row)}, 0.5)
        lasted_s = time.monotonic() - began_s
        batches = out.batches()
    assert sum(one.rows for one in batches) == 2_000
    assert [value for one in batches for value in columns_of(one)["a"]] == list(range(2_000))
    assert len(batches) <= 2_000 / 500 + 1 + lasted_s / 0.05


@pytest.mark.parametrize("rows", [40, 100, 300, 499, 700])
def test_calls_of_some_rows_share_batches(tmp_path: Path, rows: int) -> None:
    """Calls of any size make batches of the usual one, but for what has lingered; no row is lost or out of order."""
    calls = 4_000 // rows
    began_s = time.monotonic()
    with sink(tmp_path) as out:
        for call in range(calls):
            first = call * rows
            out.emitter.log_many(
                {"a": np.arange(first, first + rows), "t": ["x", "y"] * (rows // 2) + ["z"] * (rows % 2)}
            )
        lasted_s = time.monotonic() - began_s
        batches = out.batches()
    assert [value for one in batches for value in columns_of(one)["a"]] == list(range(calls * rows))
    assert max(one.rows for one in batches) == 500
    assert len(batches) <= calls * rows / 500 + 1 + lasted_s / 0.05


def test_calls_with_other_columns_make_batches_of_their_own(tmp_path: Path) -> None:
    """Rows share a batch with rows of the same columns alone: nothing is filled with nulls."""
    with sink(tmp_path) as out:
        for call in range(20):
            out.emitter.log_many({"a" if call % 2 else "b": np.full(10, call)})
        batches = out.batches()
    assert {tuple(columns_of(one)) for one in batches} == {("a",), ("b",)}
    assert all(one.gaps == [] for one in batches)
    assert sum(one.rows for one in batches) == 200


def test_few_rows_of_a_frame_share_a_batch(tmp_path: Path) -> None:
    """Slices of a table, its texts as levels of their own each, lie in one batch."""
    frame = pa.table({"n": [1.0, 2.0, 3.0], "t": pa.array(["x", None, "y"]).dictionary_encode()})
    with sink(tmp_path) as out:
        out.emitter.log_frame(frame.slice(0, 1))
        out.emitter.log_frame(frame.slice(1))
        assert columns_of(out.batch()) == {"n": [1, 2, 3], "t": ["x", None, "y"]}


def test_calls_are_refused_whole_when_there_is_no_room() -> None:
    """A buffer of 1,000 rows takes 31 calls of 32, after waiting as long as the caller of another one said."""
    with Emitter("d", "1", bootstrap=NOBODY, buffer_events=1_000) as emitter:
        began_s = time.monotonic()
        for _ in range(33):
            emitter.log_many({"a": np.zeros(32)}, wait_s=0.02)
        stats = emitter.stats()
        assert stats.dropped == {"buffer_full": 64}
        assert stats.in_flight == 992
        assert time.monotonic() - began_s >= 0.04
        emitter.close(0.1)
