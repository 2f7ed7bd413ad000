"""Due: which windows of a deployment are to be published now, and their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from driftline.schemas.window import WindowResult
from driftline.streams.join.figures import window_figures
from driftline.streams.join.kept import CellKey
from driftline.streams.join.maturity import delays, provisional
from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.outcomes_bytes import pack
from driftline.streams.join.verdict import Stage
from driftline.streams.windows.book import WIDTHS_MS
from driftline.streams.windows.resolution import HOUR_MS, MERGED, NAMES, Resolution
from driftline.streams.windows.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from driftline.streams.join.hot import Hot
    from driftline.streams.join.kept import Kept
    from driftline.streams.join.scheme import Scheme
    from driftline.streams.join.terms import Terms


class Place(NamedTuple):
    """Where a result was counted: partition, what was absorbed of both topics, and the time now in ms."""

    partition: int
    absorbed: int
    now_ms: int


def due_windows(
    hot: Hot,
    changed: Iterable[CellKey],
    resolutions: dict[str, tuple[str, ...]],
    hot_windows: int,
    horizon_ms: Callable[[Window], int | None],
) -> list[Window]:
    """Give the windows that facts have changed, or time has closed, since the last publication.

    Of a version and slot whose late predictions are others the newest hot window is among them: it says how many.

    Args:
        hot: the deployment, settled.
        changed: cells whose outcomes are others than before.
        resolutions: those of each model version.
        hot_windows: closed windows that still take facts.
        horizon_ms: how long labels of a window are waited for, ms.
    """
    altered = set(changed)
    due = _changed_by_time(hot, horizon_ms)
    for key, cell in hot.cells.items():
        if not len(cell.rows):
            continue  # every id in it counts in another
        for name in resolutions[key.version]:
            width = WIDTHS_MS[name]
            cold_before = hot.cold_before(name, hot.closed_ms, hot_windows)
            starts = hot.starts_in(key, width) if name == "5m" else [key.start_ms // width * width]
            for start in starts:
                closes = hot.closed_ms < start + width <= hot.watermark_ms
                if start >= cold_before and (key in altered or closes) and hot.serves(key, width):
                    due.add(Window(key.version, key.slot, name, start))
    days = [one for one in due if one.resolution == "1d"]
    due |= {
        Window(day.version, day.slot, name, Resolution(name).start(day.start_ms))
        for day in days
        for name in MERGED
    }
    for key in hot.days:
        for name in MERGED:
            start = Resolution(name).start(key.start_ms)
            if hot.closed_ms < Resolution(name).end(start) <= hot.watermark_ms:
                due.add(Window(key.version, key.slot, name, start))
    for version, slot in hot.late_of:
        newest = _newest_hot(hot, version, slot, resolutions.get(version, ()), hot_windows)
        due |= set() if newest is None else {newest}
    due = {window for window in due if not hot.gaps.silence(window)}
    return sorted(due, key=lambda one: (NAMES.index(one.resolution), one))


def result_of(
    hot: Hot, window: Window, terms: Terms, place: Place, horizon_ms: int | None = None
) -> WindowResult:
    """Work out the result of a window; a day's outcomes are kept for the merges.

    Args:
        hot: the deployment, settled.
        window: narrower windows before wider ones: weeks and months are made of the days.
        terms: by what it is counted and judged.
        place: where it was counted.
        horizon_ms: how long its labels are waited for; None when that is not known.
    """
    scheme = terms.scheme
    days = _days(hot.days, window, scheme) if window.resolution in MERGED else []
    outcomes = _sum(days, scheme) if days else _counted(hot, window, scheme)
    if window.resolution == "1d" and is_hot(hot, window):
        hot.days.put(CellKey(window.version, window.slot, window.start_ms), outcomes)
    median, ninety = delays(outcomes)
    is_final = window.end_ms <= hot.watermark_ms
    expected = hot.estimates.of(window, terms, outcomes, closed=is_final)
    why = _provisional(hot, window, outcomes, horizon_ms)
    if is_final and window.resolution != "5m":
        hot.said[window] = bool(why)
    else:
        hot.said.pop(window, None)
    return WindowResult(
        deployment=hot.name,
        model_version=window.version,
        slot=window.slot,
        resolution=window.resolution,
        window_start_ms=window.start_ms,
        window_end_ms=window.end_ms,
        profile_digest="" if scheme is None else scheme.digest,
        partition=place.partition,
        absorbed=place.absorbed,
        final=is_final,
        restated=window.end_ms <= hot.closed_ms and not (hot.is_restored and is_hot(hot, window)),
        rows=outcomes.predictions,
        watermark_ms=hot.watermark_ms,
        counts=pack(outcomes),
        computed_at_ms=place.now_ms,
        figures=window_figures(terms, outcomes, days, Stage(is_final, why), expected),
        late_rows=hot.late.rows(window.version, window.slot),
        role="accuracy",
        labels=outcomes.labels,
        delay_p50_s=median,
        delay_p90_s=ninety,
        provisional=bool(why),
        settings_revision=terms.revision,
    )


def is_hot(hot: Hot, window: Window) -> bool:
    """Whether more is held of a window than what its days came to; one that is narrower than a day is hot, or gone."""
    is_narrow = window.resolution in ("5m", "1h")
    return is_narrow or bool(hot.outcomes.within(*window[:2], window.start_ms, window.end_ms))


def waited_ms(hot: Hot, observed_ms: int | None, window: Window) -> int | None:
    """Give how long labels of a window took, ms; None while too few of them are there to tell.

    A hot window goes by all labels in memory. One that is cold, and a week or month, goes by those of its own days:
    what is hot now tells nothing of days whose labels came when they were cold.

    Args:
        hot: the deployment.
        observed_ms: how long the labels in memory took.
        window: which.
    """
    if window.resolution not in MERGED and is_hot(hot, window):
        return observed_ms
    return hot.days.waited_ms(hot.days.within(*window[:2], window.start_ms, window.end_ms))


def stands(hot: Hot, window: Window, terms: Terms) -> bool:
    """Whether the last result of a cold day stands: it was counted by other terms than would judge it now."""
    key = CellKey(window.version, window.slot, window.start_ms)
    if window.resolution != "1d" or key not in hot.days or is_hot(hot, window):
        return False
    return hot.days.digest(key) != ("" if terms.scheme is None else terms.scheme.identity)


def _newest_hot(
    hot: Hot, version: str, slot: str, resolutions: tuple[str, ...], hot_windows: int
) -> Window | None:
    """Find the newest hot window of a version and slot, of the narrowest width; None without one."""
    mine = [key for key, cell in hot.cells.items() if key[:2] == (version, slot) and len(cell.rows)]
    for key in sorted(mine, reverse=True):
        for name in resolutions:
            width = WIDTHS_MS[name]
            start = hot.starts_in(key, width)[-1] if name == "5m" else key.start_ms // width * width
            is_hot = start >= hot.cold_before(name, hot.closed_ms, hot_windows)
            window = Window(version, slot, name, start)
            if is_hot and hot.serves(key, width) and not hot.gaps.silence(window):
                return window
    return None


def _changed_by_time(hot: Hot, horizon_ms: Callable[[Window], int | None]) -> set[Window]:
    """Give windows that are provisional and were not, or the reverse, or due anyway; forget those let go."""
    due = set()
    for window, said in tuple(hot.said.items()):
        outcomes = _held(hot, window)
        if outcomes is None:
            del hot.said[window]
        elif bool(_provisional(hot, window, outcomes, horizon_ms(window))) is not said:
            due.add(window)
    return due


def _provisional(hot: Hot, window: Window, outcomes: Outcomes, horizon_ms: int | None) -> str:
    """Say why a window is provisional; one of five minutes is so until its labels are there, however long it takes."""
    waited_for = None if window.resolution == "5m" else horizon_ms
    return provisional(outcomes, window.end_ms, hot.watermark_ms, waited_for)


def _held(hot: Hot, window: Window) -> Outcomes | None:
    """What is held of a window, for its labels and predictions alone; None when nothing is."""
    if window.resolution == "5m":
        return None
    kept = hot.outcomes if window.resolution == "1h" else hot.days
    found = [kept.counts(key) for key in kept.within(*window[:2], window.start_ms, window.end_ms)]
    return Outcomes("", *(sum(part) for part in zip(*found, strict=True))) if found else None


def _counted(hot: Hot, window: Window, scheme: Scheme | None) -> Outcomes:
    if window.resolution == "5m":
        cell = CellKey(window.version, window.slot, window.start_ms // HOUR_MS * HOUR_MS)
        there = [hot.part(cell, window.start_ms, WIDTHS_MS["5m"], scheme)] if cell in hot.cells else []
        return _sum(there, scheme)
    # An hour before a change of settings counts in its day by what holds at the day's end.
    keys = hot.outcomes.within(window.version, window.slot, window.start_ms, window.end_ms)
    parts = [outcomes for key in keys if (outcomes := hot.counted_by(key, scheme)) is not None]
    # A day that is cold is what it was when it took facts for the last time.
    day = hot.days.get(CellKey(window.version, window.slot, window.start_ms))
    return _sum([day] if day is not None and not parts else parts, scheme)


def _days(kept: Kept, window: Window, scheme: Scheme | None) -> list[Outcomes]:
    """The days of a window that are kept, in order; of those with other segments than it has, the totals."""
    identity = "" if scheme is None else scheme.identity
    keys = kept.within(window.version, window.slot, window.start_ms, window.end_ms)
    return [outcomes.read_by(identity) for key in keys if (outcomes := kept.get(key)) is not None]


def _sum(parts: Iterable[Outcomes], scheme: Scheme | None) -> Outcomes:
    """Add parts up; of one counted with another profile, or before there was any, only its rows and labels."""
    total = Outcomes.of(scheme)
    for outcomes in parts:
        if outcomes.digest == total.digest:
            total.merge(outcomes)
        else:
            total.predictions += outcomes.predictions
            total.labels += outcomes.labels
    return total
