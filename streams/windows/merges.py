"""Weeks and months: sums of the day states that are kept, judged as windows of their own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from driftline.streams.windows.resolution import MERGED, Resolution
from driftline.streams.windows.results import Due, days_of, merged_result
from driftline.streams.windows.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.streams.windows.book import Book
    from driftline.streams.windows.held import PaneKey
    from driftline.streams.windows.shard import MergeKey, Shard

OPEN_EVERY: Final = 6
"""An open week or month is published once in so many times `publish_seconds`: it costs up to 31 days to add up."""


def due_merges(
    shard: Shard, book: Book, touched: Iterable[PaneKey], now_ms: int, clock_s: float, *, closing: bool
) -> list[Due]:
    """Results of the weeks and months that are to be published now.

    Args:
        shard: one partition's work; its `merges_waiting` remembers what is still to come.
        book: the deployment.
        touched: windows published at this checkpoint; a day among them changes its week and month.
        now_ms: wall-clock time, ms.
        clock_s: the caller's monotonic clock, s.
        closing: publish what waits, whatever was published last when.
    """
    waiting = {merge for merge in shard.merges_waiting if merge[0] == book.deployment}
    waiting |= _merges_of(key for key in touched if key.resolution == "1d")
    closed_before = shard.closed_ms[book.deployment]
    if book.watermark_ms > closed_before:
        days = (key for key in shard.index[book.deployment] if key.resolution == "1d")
        waiting |= {m for m in _merges_of(days) if closed_before < _end(m) <= book.watermark_ms}
    shard.merges_waiting -= waiting
    results = []
    for merge in sorted(waiting):
        final = _end(merge) <= book.watermark_ms
        last = shard.merged_at.pop(merge, float("-inf"))
        if final or closing or clock_s - last >= OPEN_EVERY * shard.rules.publish_seconds:
            last = clock_s
            keys = days_of(shard, merge)
            # With days that are gone, or in a gap, the sum would lie: what was published before stands.
            is_whole = merge[4] >= book.days_left_ms and not book.gaps.silence(Window(*merge[1:]))
            if keys and is_whole:
                make = partial(merged_result, shard, book, merge, keys, is_final=final, now_ms=now_ms)
                results.append(Due(merge[3], make))
        else:
            shard.merges_waiting.add(merge)
        if not final:
            shard.merged_at[merge] = last
    return results


def _end(merge: MergeKey) -> int:
    return Resolution(merge[3]).end(merge[4])


def _merges_of(days: Iterable[PaneKey]) -> set[MergeKey]:
    """The weeks and months that hold these days."""
    found: set[MergeKey] = set()
    for key in days:
        for name in MERGED:
            found.add((key.deployment, key.version, key.slot, name, Resolution(name).start(key.start_ms)))
    return found
