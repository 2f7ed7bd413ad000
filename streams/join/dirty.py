"""Dirty: what came too late for what is in memory, to be restated from the archive once that has it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.streams.join.cell import cell_width
from driftline.streams.join.keys import pairs
from driftline.streams.join.labels import ROW_BITS
from driftline.streams.windows.book import WIDTHS_MS
from driftline.streams.windows.resolution import DAY_MS

if TYPE_CHECKING:
    from driftline.schemas.columns import PredictionColumns
    from driftline.streams.join.hot import Hot

NEAR_MS: Final = DAY_MS
"""How far apart in event time versions and slots may predict the same id, ms: a label that memory took for one of them
may belong to a cold window of another.
"""
SINGLE_MAX: Final = 4_096
"""Offsets listed one by one; more become the span that they lie in."""


@dataclass(slots=True)
class Offsets:
    """Records of `labels` that hold a label which no window in memory took.

    Attributes:
        single: their offsets.
        span: least and greatest offset, inclusive, of those that were too many to list; None without.
    """

    single: set[int] = field(default_factory=set)
    span: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        return bool(self.single) or self.span is not None

    def add(self, offsets: Iterable[int]) -> None:
        """Take more in."""
        self.single.update(offsets)
        if len(self.single) > SINGLE_MAX:
            ends = [*self.single, *(self.span or ())]
            self.single, self.span = set(), (min(ends), max(ends))

    def restated(self, last: int) -> None:
        """Let go of those up to an offset."""
        self.single = {offset for offset in self.single if offset > last}
        if self.span is not None:
            self.span = None if self.span[1] <= last else (max(self.span[0], last + 1), self.span[1])

    def put_back(self, left: Offsets) -> None:
        """Take those in again that could not be restated."""
        ends = [*(self.span or ()), *(left.span or ())]
        self.span = (min(ends), max(ends)) if ends else None
        self.add(left.single)

    def copy(self) -> Offsets:
        """The same, to stay as it is."""
        return Offsets(set(self.single), self.span)

    def to_list(self) -> list[Any]:
        """Plain values for storing."""
        return [sorted(self.single), self.span]

    @classmethod
    def from_list(cls, stored: list[Any]) -> Offsets:
        """The reverse of `to_list`."""
        return cls(set(stored[0]), None if stored[1] is None else (stored[1][0], stored[1][1]))


def missed(hot: Hot, resolutions: dict[str, tuple[str, ...]], hot_windows: int) -> set[int]:
    """Give the offsets of labels that came into force at the last `settle` and that not all windows in memory took.

    A window that is published from memory takes a label; one that is cold, or a prediction that is not there, does not.
    Near the cold ones a label counts as missed though memory took it, for the sake of others that predicted its id.

    Args:
        hot: the deployment, settled.
        resolutions: those of each model version.
        hot_windows: closed windows that still take facts.
    """
    fresh = hot.fresh
    took = np.zeros(len(fresh), np.bool_)
    for key, cell in hot.cells.items() if len(fresh) else ():
        narrow = resolutions[key.version][0]
        sure_ms = hot.cold_before(narrow, hot.closed_ms, hot_windows) + NEAR_MS
        if cell.start_ms + cell_width(resolutions[key.version]) <= sure_ms:
            continue
        mine, theirs = pairs(cell.rows.key, cell.rows.rest, fresh.key, fresh.rest)
        times_ms = cell.start_ms + cell.rows.after_ms[mine].astype(np.int64)
        took[theirs[times_ms // WIDTHS_MS[narrow] * WIDTHS_MS[narrow] >= sure_ms]] = True
    return set(np.unique(fresh.place[~took] >> ROW_BITS).tolist())


def count_late(
    hot: Hot, cols: PredictionColumns, offset: int, resolutions: tuple[str, ...], hot_windows: int
) -> None:
    """Count the predictions of a batch that come when some window of theirs is cold; call it before they are folded."""
    width = WIDTHS_MS[resolutions[0]]
    starts = cols.times_ms // width * width
    late = starts < hot.cold_before(resolutions[0], hot.watermark_ms, hot_windows)
    if late.any():
        days, counts = np.unique(cols.times_ms[late] // DAY_MS * DAY_MS, return_counts=True)
        for day, rows in zip(days.tolist(), counts.tolist(), strict=True):
            hot.late.add(cols.model_version, cols.slot, day, rows, offset)
        hot.late_of.add((cols.model_version, cols.slot))
