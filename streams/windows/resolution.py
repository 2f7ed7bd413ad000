"""Resolution: the width of windows, aligned to UTC, from five minutes to a calendar month."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftline.schemas.errors import DriftlineError

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
WEEK_MS: Final = 7 * DAY_MS
_MONDAY_MS: Final = 4 * DAY_MS  # 1970-01-05; the epoch itself is a Thursday
_WIDTH_MS: Final = {"5m": 5 * MINUTE_MS, "1h": HOUR_MS, "1d": DAY_MS, "7d": WEEK_MS}
NAMES: Final = ("5m", "1h", "1d", "7d", "1M")
MERGED: Final = ("7d", "1M")
"""Those whose windows are merges of days."""


class ResolutionError(DriftlineError):
    """A resolution that does not exist."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """One width of tumbling windows in event time.

    `5m`, `1h`, `1d` are counted; `7d` (from Monday) and `1M` (calendar months) are merges of days.
    """

    name: str

    @classmethod
    def parse(cls, text: str) -> Resolution:
        """Read a name.

        Raises:
            ResolutionError: for anything but `NAMES`.

        >>> Resolution.parse("7d").merged
        True
        """
        if text not in NAMES:
            raise ResolutionError(f"resolution {text!r} does not exist: use one of {', '.join(NAMES)}")
        return cls(text)

    @property
    def merged(self) -> bool:
        """Whether its windows are merges of days rather than counted from events."""
        return self.name in MERGED

    def starts(self, times_ms: np.ndarray) -> np.ndarray:
        """Give the start of the window that holds each time; int64 milliseconds since 1970 in and out.

        >>> Resolution("1M").starts(np.array([1_700_000_000_000]))
        array([1698796800000])
        """
        times = np.asarray(times_ms, dtype=np.int64)
        if self.name == "1M":
            months = times.view("datetime64[ms]").astype("datetime64[M]")
            return months.astype("datetime64[ms]").astype(np.int64)
        width = _WIDTH_MS[self.name]
        shift = _MONDAY_MS if self.name == "7d" else 0
        # Floor division, so that times before 1970 fall into the window that holds them too.
        return (times - shift) // width * width + shift

    def start(self, time_ms: int) -> int:
        """Give the start of the window that holds one time, ms."""
        return int(self.starts(np.array([time_ms]))[0])

    def end(self, start_ms: int) -> int:
        """Give the first millisecond after the window that starts at `start_ms`."""
        if self.name == "1M":
            month = np.datetime64(start_ms, "ms").astype("datetime64[M]")
            return int((month + 1).astype("datetime64[ms]").astype(np.int64))
        return start_ms + _WIDTH_MS[self.name]


def rows_by_start(starts: np.ndarray, keep: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The kept rows of a batch by window: (start, row numbers in their order)."""
    rows = np.flatnonzero(keep)
    if rows.size == 0:
        return
    own = starts[rows]
    order = np.argsort(own, kind="stable")
    own = own[order]
    cuts = np.flatnonzero(np.diff(own)) + 1
    for part in np.split(order, cuts):
        yield int(starts[rows[part[0]]]), rows[part]
