"""Due: which windows of a deployment are to be published now, and their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from driftline.schemas.window import WindowResult
from driftline.streams.join.hot import CellKey
from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.outcomes_bytes import pack
from driftline.streams.join.performance import performance_figures
from driftline.streams.windows.book import WIDTHS_MS
from driftline.streams.windows.latency import latency_quantile
from driftline.streams.windows.merges import MERGED
from driftline.streams.windows.resolution import HOUR_MS, NAMES, Resolution

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.streams.join.hot import Hot
    from driftline.streams.join.scheme import Scheme

COVERED: Final = 0.95
"""Share of predictions with a label above which figures are not provisional any more."""


class Window(NamedTuple):
    """One window of one model version in one slot."""

    version: str
    slot: str
    resolution: str
    start_ms: int

    @property
    def end_ms(self) -> int:
        """Its end, exclusive, ms."""
        return Resolution(self.resolution).end(self.start_ms)


class Place(NamedTuple):
    """Where a result was counted: partition, what was absorbed of both topics, and the time now in ms."""

    partition: int
    absorbed: int
    now_ms: int


def due_windows(
    hot: Hot, changed: Iterable[CellKey], resolutions: dict[str, tuple[str, ...]], hot_windows: int
) -> list[Window]:
    """Give the windows that facts have changed, or time has closed, since the last publication.

    Args:
        hot: the deployment, settled.
        changed: cells whose outcomes are others than before.
        resolutions: those of each model version.
        hot_windows: closed windows that still take facts.
    """
    altered = set(changed)
    due: set[Window] = set()
    for key in hot.cells:
        for name in resolutions[key.version]:
            width = WIDTHS_MS[name]
            cold_before = hot.cold_before(name, hot.closed_ms, hot_windows)
            starts = hot.starts_in(key, width) if name == "5m" else [key.start_ms // width * width]
            for start in starts:
                closes = hot.closed_ms < start + width <= hot.watermark_ms
                if start >= cold_before and (key in altered or closes):
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
    return sorted(due, key=lambda one: (NAMES.index(one.resolution), one))


def result_of(hot: Hot, window: Window, scheme: Scheme | None, place: Place) -> WindowResult:
    """Work out the result of a window; a day's outcomes are kept for the merges.

    Args:
        hot: the deployment, settled.
        window: narrower windows before wider ones: weeks and months are made of the days.
        scheme: how answers of this version are held against truth.
        place: where it was counted.
    """
    days = _days(hot, window) if window.resolution in MERGED else []
    outcomes = _sum(days, scheme) if days else _counted(hot, window, scheme)
    if window.resolution == "1d":
        hot.days[CellKey(window.version, window.slot, window.start_ms)] = outcomes
    median, ninety = (
        (None, None)
        if outcomes.delays is None
        else (latency_quantile(outcomes.delays, share) for share in (0.5, 0.9))
    )
    is_final = window.end_ms <= hot.watermark_ms
    return WindowResult(
        deployment=hot.name,
        model_version=window.version,
        slot=window.slot,
        resolution=window.resolution,
        window_start_ms=window.start_ms,
        window_end_ms=window.end_ms,
        profile_digest=outcomes.digest,
        partition=place.partition,
        absorbed=place.absorbed,
        final=is_final,
        restated=window.end_ms <= hot.closed_ms and not hot.is_restored,
        rows=outcomes.predictions,
        watermark_ms=hot.watermark_ms,
        counts=pack(outcomes),
        computed_at_ms=place.now_ms,
        figures=performance_figures(scheme, outcomes, days),
        late_rows=hot.late,
        role="accuracy",
        labels=outcomes.labels,
        delay_p50_s=median,
        delay_p90_s=ninety,
        provisional=outcomes.labels < COVERED * outcomes.predictions,
    )


def _counted(hot: Hot, window: Window, scheme: Scheme | None) -> Outcomes:
    if window.resolution == "5m":
        cell = CellKey(window.version, window.slot, window.start_ms // HOUR_MS * HOUR_MS)
        return hot.part(cell, window.start_ms, WIDTHS_MS["5m"])
    return _sum(
        (
            outcomes
            for key, outcomes in hot.outcomes.items()
            if (key.version, key.slot) == (window.version, window.slot)
            and window.start_ms <= key.start_ms < window.end_ms
        ),
        scheme,
    )


def _days(hot: Hot, window: Window) -> list[Outcomes]:
    """The days of a week or month, in order, as they were last counted."""
    mine = [
        key
        for key in hot.days
        if (key.version, key.slot) == (window.version, window.slot)
        and window.start_ms <= key.start_ms < window.end_ms
    ]
    return [hot.days[key] for key in sorted(mine)]


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
