"""Window results: a pane, or the sum of day panes, judged and made ready to be published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.schemas.window import WindowResult
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.judge import judge
from driftline.streams.windows.resolution import Resolution

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.streams.windows.book import Book
    from driftline.streams.windows.held import PaneKey
    from driftline.streams.windows.shard import MergeKey, Shard


@dataclass(frozen=True, slots=True)
class Due:
    """A result that is to be published, worked out when its turn has come.

    With 25 features a result takes 100 KB while it waits, and a checkpoint may publish thousands.
    """

    resolution: str
    make: Callable[[], WindowResult]


def pane_result(shard: Shard, book: Book, key: PaneKey, *, is_final: bool, now_ms: int) -> WindowResult:
    """The result of a window that was counted."""
    pane = shard.look(key)
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
    shard: Shard, book: Book, merge: MergeKey, days: Sequence[PaneKey], *, is_final: bool, now_ms: int
) -> WindowResult:
    """The result of a week or month: the sum of its days.

    Counts made with different profiles are never added: the days counted with the newest day's profile are.
    """
    layout = shard.look(days[-1]).counters.layout
    total = Counters(layout)
    absorbed, restated = -1, False
    for key in days:  # one after the other: decoded, a month of days takes megabytes
        pane = shard.look(key)
        if pane.counters.layout.digest == layout.digest:
            total.merge(pane.counters)
            absorbed, restated = max(absorbed, pane.absorbed), restated or pane.restated
    return _result(
        shard,
        book,
        merge,
        total,
        absorbed,
        is_final=is_final,
        restated=is_final and restated,
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
