"""Window results: a pane, or the sum of day panes, judged and made ready to be published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.schemas.window import WindowResult
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.judge import judge
from driftline.streams.windows.resolution import Resolution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.streams.windows.book import Book
    from driftline.streams.windows.pane import Pane
    from driftline.streams.windows.shard import MergeKey, Shard


def pane_result(shard: Shard, book: Book, pane: Pane, *, is_final: bool, now_ms: int) -> WindowResult:
    """The result of a window that was counted."""
    key = pane.key
    where = (key.deployment, key.version, key.slot, key.resolution, key.start_ms)
    return _result(
        shard,
        book,
        where,
        pane.counters,
        pane.absorbed,
        is_final=is_final,
        restated=is_final and pane.restated,
        now_ms=now_ms,
    )


def merged_result(
    shard: Shard, book: Book, merge: MergeKey, days: Sequence[Pane], *, is_final: bool, now_ms: int
) -> WindowResult:
    """The result of a week or month: the sum of its days.

    Counts made with different profiles are never added: the days counted with the newest day's profile are.
    """
    layout = days[-1].counters.layout
    total = Counters(layout)
    same = [pane for pane in days if pane.counters.layout.digest == layout.digest]
    for pane in same:
        total.merge(pane.counters)
    return _result(
        shard,
        book,
        merge,
        total,
        max(pane.absorbed for pane in same),
        is_final=is_final,
        restated=is_final and any(pane.restated for pane in same),
        now_ms=now_ms,
    )


def _result(
    shard: Shard,
    book: Book,
    where: MergeKey,
    counters: Counters,
    absorbed: int,
    *,
    is_final: bool,
    restated: bool,
    now_ms: int,
) -> WindowResult:
    deployment, version, slot, name, start_ms = where
    resolution = Resolution(name)
    digest = counters.layout.digest
    profile = shard.profiles.profile_of(digest)
    return WindowResult(
        deployment=deployment,
        model_version=version,
        slot=slot,
        resolution=name,
        window_start_ms=start_ms,
        window_end_ms=resolution.end(start_ms),
        profile_digest=digest,
        partition=shard.partition,
        absorbed=absorbed,
        final=is_final,
        restated=restated,
        rows=counters.rows,
        late_rows=book.late.rows(version, slot),
        watermark_ms=book.watermark_ms,
        figures=judge(profile, counters, resolution, closed=is_final),
        counts=counters.to_bytes(),
        computed_at_ms=now_ms,
    )
