"""What the join says that it holds is what Python holds for it, of small cells as of large ones."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest
from cold_world import HOUR_MS, START_MS, Book

from driftline.schemas.columns import LabelColumns, NumericBlock, PredictionColumns
from driftline.streams.join.shard import Shard
from driftline.streams.windows.rules import Rules


def lived(deployments: int, hours: int, rows: int) -> Shard:
    """A shard of deployments that predict and are labelled in some hours, published."""
    shard = Shard(0, Book(("1h", "1d")), Rules(held_bytes=1 << 40, hot_windows=1_000, kept_days=1_000))
    draw = np.random.default_rng(1)
    for at in range(deployments):
        ids = draw.integers(0, 256, (hours * rows, 16), dtype=np.uint8)
        times = START_MS + np.repeat(np.arange(hours, dtype=np.int64), rows) * HOUR_MS
        scores = [NumericBlock(("score",), draw.random((1, len(ids)), dtype=np.float32))]
        name = f"d{at}"
        cols = PredictionColumns(name, "1", "champion", len(ids), None, ids, None, times, scores=scores)
        shard.take_predictions(at, cols, 0)
        known = LabelColumns(name, len(ids), None, ids, None, times, numbers=np.ones(len(ids)))
        shard.take_labels(at, known, 0)
        for one in shard.results(0):
            one.to_bytes()
        shard.commit()
    return shard


@pytest.mark.parametrize(("deployments", "hours", "rows"), [(10, 1, 3), (2, 30, 3), (2, 2, 5_000)])
def test_small_cells_weigh_what_they_take(deployments: int, hours: int, rows: int) -> None:
    """Bytes said lie within a quarter of those that Python and numpy have taken."""
    lived(2, 2, 3)
    gc.collect()
    tracemalloc.start()
    try:
        shard = lived(deployments, hours, rows)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.75 * taken < shard.nbytes < 1.25 * taken
