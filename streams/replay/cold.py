"""Cold: where what is in memory ends, and which windows lie beyond it.

A window is hot or cold, never both, and its row has one writer at a time. Hot windows are published from memory; a cold
one is restated whole, from the archive. A week or month is published from memory while all its days are kept there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from driftline.streams.windows.book import NEVER, WIDTHS_MS, cold_before
from driftline.streams.windows.resolution import DAY_MS, MERGED, Resolution
from driftline.streams.windows.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.streams.clickhouse.fact_reads import Touched
    from driftline.streams.windows.gaps import Gap

FOREVER: Final = 1 << 62
RUN_WINDOWS: Final = 400
"""Windows restated together: their results are held until they are published."""
RUN_ROWS: Final = 2_000_000
"""Predictions held against labels together."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Where hot ends for one deployment, as the stored state of its worker says.

    Attributes:
        watermark_ms: no event before this time is expected any more.
        floors_ms: per resolution, windows that start before it were pushed out.
        hot_windows: closed windows that take facts.
        kept_from_ms: the first day that is kept for weeks and months.
        gaps: what memory does not hold all facts of.
    """

    watermark_ms: int
    floors_ms: Mapping[str, int]
    hot_windows: int
    kept_from_ms: int
    gaps: tuple[Gap, ...] = ()

    def is_cold(self, resolution: str, start_ms: int) -> bool:
        """Whether a counted window takes no facts from memory any more; all are when nothing is in memory."""
        if self.watermark_ms == NEVER:
            return True
        return start_ms < cold_before(self.floors_ms, resolution, self.watermark_ms, self.hot_windows)

    def is_kept(self, merge: Window) -> bool:
        """Whether all days of a week or month are in memory."""
        if self.watermark_ms == NEVER or merge.start_ms < self.kept_from_ms:
            return False
        return not any(gap.silences(merge) for gap in self.gaps)

    def is_untold(self, merge: Window) -> bool:
        """Whether a week or month holds days that are not counted: it is not told at all."""
        return any(gap.lasts and gap.silences(merge) for gap in self.gaps)


def cold_windows(
    touched: Iterable[Touched], resolutions: Callable[[str], tuple[str, ...]], edge: Edge
) -> set[Window]:
    """Give the counted windows that hold some five minutes and are cold."""
    return {
        Window(one.version, one.slot, name, start)
        for one in touched
        for name in resolutions(one.version)
        if edge.is_cold(name, start := one.start_ms // WIDTHS_MS[name] * WIDTHS_MS[name])
    }


def runs(windows: Iterable[Window], rows_of_day: Mapping[int, int]) -> list[set[Window]]:
    """Part windows into runs of days, oldest first, each read at once: a day, or more of few windows.

    Between two days of a run lies no other that has predictions, so that nothing is read for nothing.

    Args:
        windows: counted ones.
        rows_of_day: predictions by UTC day, ms; a run of several days holds no more than `RUN_ROWS`.
    """
    with_rows = sorted(rows_of_day)
    days: dict[int, set[Window]] = {}
    for window in windows:
        days.setdefault(window.start_ms // DAY_MS * DAY_MS, set()).add(window)
    found: list[set[Window]] = []
    last, rows = -1, 0
    for day, mine in sorted(days.items()):
        rows += rows_of_day.get(day, 0)
        between = bisect_left(with_rows, day) - bisect_right(with_rows, last)
        if found and between == 0 and len(found[-1]) + len(mine) <= RUN_WINDOWS and rows <= RUN_ROWS:
            found[-1] |= mine
        else:
            found.append(mine)
            rows = rows_of_day.get(day, 0)
        last = day
    return found


def hull(windows: Iterable[Window], width_ms: int) -> tuple[int, int]:
    """Give the span of event time that windows lie in, ms, made of whole cells of a width."""
    ends = [(one.start_ms // width_ms * width_ms, -(-one.end_ms // width_ms) * width_ms) for one in windows]
    return min(start for start, _ in ends), max(end for _, end in ends)


def merges_of(windows: Iterable[Window]) -> set[Window]:
    """Give the weeks and months of the days among windows."""
    return {
        Window(day.version, day.slot, name, Resolution(name).start(day.start_ms))
        for day in windows
        if day.resolution == "1d"
        for name in MERGED
    }
