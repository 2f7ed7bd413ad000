"""What becomes of rows whose windows are cold: they are counted by day, and a window that is published says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.streams.windows.book import NEVER, WIDTHS_MS
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.held import PaneKey
from driftline.streams.windows.new_widths import widths_of
from driftline.streams.windows.pane import Pane
from driftline.streams.windows.resolution import DAY_MS

if TYPE_CHECKING:
    from driftline.schemas.columns import PredictionColumns
    from driftline.streams.windows.book import Book
    from driftline.streams.windows.shard import Shard


def count_late(shard: Shard, book: Book, columns: PredictionColumns, late: np.ndarray, offset: int) -> None:
    """Enter late rows in the book, and have the newest window of their version and slot published again with them.

    Args:
        shard: one partition's work.
        book: the deployment's.
        columns: the batch.
        late: bool (rows,), which are too late for at least one resolution.
        offset: of the batch.
    """
    days, counts = np.unique(columns.times_ms[late] // DAY_MS * DAY_MS, return_counts=True)
    for day, count in zip(days.tolist(), counts.tolist(), strict=True):
        book.late.add(columns.model_version, columns.slot, day, count, offset)
    shard.tally.late += int(late.sum())
    shard.unpublished.add(_newest(shard, book, columns))


def newest_hot(shard: Shard, deployment: str, version: str, slot: str) -> PaneKey | None:
    """Find the newest hot window of a version and slot that is published, of the narrowest width; None without one."""
    gaps = shard.book(deployment).gaps
    hot = [
        key
        for key in shard.index[deployment]
        if (key.version, key.slot) == (version, slot) and not (shard.is_cold(key) or gaps.silence(key.window))
    ]
    return max(hot, key=lambda key: (-WIDTHS_MS[key.resolution], key.start_ms), default=None)


def _newest(shard: Shard, book: Book, columns: PredictionColumns) -> PaneKey:
    """Find the newest hot window; without one, all rows having been late, that of the watermark is begun empty."""
    deployment, version, slot = columns.deployment, columns.model_version, columns.slot
    hot = newest_hot(shard, deployment, version, slot)
    if hot is not None:
        return hot
    resolution = widths_of(shard, book, version)[0]
    width = WIDTHS_MS[resolution]
    start = max(book.watermark_ms // width * width, book.floors_ms.get(resolution, NEVER))
    key = PaneKey(deployment, version, slot, resolution, start)
    counters = Counters(shard.profiles.layout(deployment, version))
    shard.panes[key] = Pane(key, counters, absorbed=book.absorbed, changed=True)
    shard.index[deployment].add(key)
    shard.fresh_bytes += counters.size_bytes
    return key
