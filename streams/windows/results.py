"""Window results: a pane, or the sum of day panes, judged and made ready to be published."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from driftline.schemas.refusal import Refused
from driftline.schemas.window import Figure, WindowResult
from driftline.streams.windows.baselines import GONE, OTHER_PROFILE, baseline_figures
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.health_figures import counted_ms
from driftline.streams.windows.held import PaneKey
from driftline.streams.windows.judge import UNCOMPARED, judge, rule_of
from driftline.streams.windows.resolution import DAY_MS, Resolution
from driftline.streams.windows.split_figures import split_figures, usual_of
from driftline.streams.windows.splits import splits_of
from driftline.streams.windows.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.streams.windows.book import Book
    from driftline.streams.windows.layout import Layout
    from driftline.streams.windows.shard import MergeKey, Shard


@dataclass(frozen=True, slots=True)
class Due:
    """A result that is to be published, worked out when its turn has come.

    With 25 features a result takes 100 KB while it waits, and a checkpoint may publish thousands.
    """

    resolution: str
    make: Callable[[], WindowResult]


@dataclass(frozen=True, slots=True)
class _Counted:
    """What was counted of a window: up to which offset, whether after it was final, and rows and ms that are not."""

    counters: Counters
    absorbed: int
    restated: bool
    left_out: int = 0
    left_out_ms: int = 0


def pane_result(shard: Shard, book: Book, key: PaneKey, *, is_final: bool, now_ms: int) -> WindowResult:
    """The result of a window that was counted."""
    where = (key.deployment, key.version, key.slot, key.resolution, key.start_ms)
    counted = _pane(shard, key)
    return _result(shard, book, where, counted, is_final=is_final, now_ms=now_ms)


def merged_result(
    shard: Shard, book: Book, merge: MergeKey, days: Sequence[PaneKey], *, is_final: bool, now_ms: int
) -> WindowResult:
    """The result of a week or month: the sum of its days.

    Counts made with different profiles are never added: the days counted with the profile of the newest day that has
    one are, and nothing is concluded from a part of them.
    """
    counted = _sum(shard, days)
    result = _result(shard, book, merge, counted, is_final=is_final, now_ms=now_ms)
    if counted.left_out:
        reason = f"{counted.left_out} rows of its days were counted with another profile, and are left out."
        result.figures = [_without_verdict(figure, reason) for figure in result.figures]
    return result


def days_of(shard: Shard, merge: MergeKey) -> list[PaneKey]:
    """The days of a week or month that are held, in order."""
    deployment, version, slot, name, start = merge
    end = Resolution(name).end(start)
    keys = [
        key
        for key in shard.index[deployment]
        if key.resolution == "1d"
        and (key.version, key.slot) == (version, slot)
        and start <= key.start_ms < end
    ]
    return sorted(keys, key=lambda key: key.start_ms)


def encoded(result: WindowResult) -> bytes:
    """The record of a result; one that is too large for the topic goes without its counts, then without figures.

    Some 900 numeric columns fill a record. The window is published all the same: its rows count, and it says why
    there is no more.
    """
    try:
        return result.to_bytes()
    except Refused as refused:
        reason = f"The window's result is too large to be published whole ({refused.detail})"
    bare = replace(result, counts=b"")
    try:
        return bare.to_bytes()
    except Refused:
        why = Figure(
            "rows", "", "rows", float(result.rows), verdict="inconclusive", reason=reason, rows=result.rows
        )
        return replace(bare, figures=[why]).to_bytes()


def _pane(shard: Shard, key: PaneKey) -> _Counted:
    pane = shard.look(key)
    return _Counted(pane.counters, pane.absorbed, pane.restated)


def _sum(shard: Shard, days: Sequence[PaneKey]) -> _Counted:
    layout = _layout(shard, days)
    total = Counters(layout)
    absorbed, restated, left_out, left_out_ms = -1, False, 0, 0
    for key in days:  # one after the other: decoded, a month of days takes megabytes
        one = _pane(shard, key)
        absorbed, restated = max(absorbed, one.absorbed), restated or one.restated
        if one.counters.layout.digest == layout.digest:
            total.merge(one.counters)
        else:
            left_out += one.counters.rows
            left_out_ms += DAY_MS
    return _Counted(total, absorbed, restated, left_out, left_out_ms)


def _layout(shard: Shard, days: Sequence[PaneKey]) -> Layout:
    """The layout of the newest day that was counted with a profile; without one, of the newest day."""
    layouts = (shard.look(key).counters.layout for key in reversed(days))
    return next((layout for layout in layouts if layout.digest), shard.look(days[-1]).counters.layout)


def _before(shard: Shard, book: Book, where: MergeKey) -> Counters | str:
    """The counters of the window before, or why there are none."""
    deployment, version, slot, name, start_ms = where
    start_ms = Resolution(name).start(start_ms - 1)
    if book.gaps.silence(Window(version, slot, name, start_ms)):
        return GONE
    if Resolution(name).merged:
        days = days_of(shard, (deployment, version, slot, name, start_ms))
        if not days or start_ms < shard.days_kept_from(book):
            return GONE
        counted = _sum(shard, days)
        return OTHER_PROFILE if counted.left_out else counted.counters
    key = PaneKey(deployment, version, slot, name, start_ms)
    return _pane(shard, key).counters if key in shard.index[deployment] else GONE


def _without_verdict(figure: Figure, reason: str) -> Figure:
    return figure if figure.verdict is None else replace(figure, verdict="inconclusive", reason=reason)


def _result(
    shard: Shard,
    book: Book,
    where: MergeKey,
    counted: _Counted,
    *,
    is_final: bool,
    now_ms: int,
) -> WindowResult:
    counters = counted.counters
    deployment, version, slot, name, start_ms = where
    resolution = Resolution(name)
    end_ms = resolution.end(start_ms)
    span_ms = counted_ms(counters, start_ms, end_ms, book.watermark_ms, closed=is_final)
    digest = counters.layout.digest
    profile = shard.profiles.profile_of(digest)
    state = shard.profiles.state(deployment, end_ms)
    rule = rule_of(state.settings)
    served_ms = span_ms - counted.left_out_ms
    figures = judge(profile, counters, resolution, rule=rule, closed=is_final, counted_ms=served_ms)
    wanted = state.settings.baselines
    if wanted and is_final and profile is not None:
        before = _before(shard, book, where) if "previous" in wanted else GONE
        figures += baseline_figures(wanted, counters, profile, before, (start_ms, end_ms), rule)
    if counters.splits and is_final and profile is not None:
        held_back = {"prediction": UNCOMPARED[profile.provenance]} if profile.provenance in UNCOMPARED else {}
        usual = usual_of(profile, counters, resolution, rule)
        figures += split_figures(splits_of(counters.layout, state), counters, rule, held_back, usual)
    return WindowResult(
        deployment=deployment,
        model_version=version,
        slot=slot,
        resolution=name,
        window_start_ms=start_ms,
        window_end_ms=end_ms,
        profile_digest=digest,
        partition=shard.partition,
        absorbed=counted.absorbed,
        final=is_final,
        restated=is_final and counted.restated,
        rows=counters.rows,
        late_rows=book.late.rows(version, slot),
        watermark_ms=book.watermark_ms,
        figures=figures,
        counts=counters.to_bytes(),
        computed_at_ms=now_ms,
        settings_revision=state.revision,
    )
