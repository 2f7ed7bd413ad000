"""Which widths of window a table has the rows for: the default of `profile build --resolutions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.deploy.tables.errors import TableError, suggestion
from driftline.streams.windows.resolution import Resolution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

COUNTED = ("5m", "1h", "1d")
"""Widths that are counted from events; wider ones are merges of days."""

MINIMUM_ROWS = 200
"""Rows below which a window has no verdict."""

ENOUGH_WINDOWS = 0.8
"""Share of windows that must reach MINIMUM_ROWS for a width to be worth counting."""


class WindowCount:
    """Rows per window of each counted width, added up batch by batch.

    Bounded by the windows that have rows: ten years of 5 minutes are a million.
    """

    def __init__(self) -> None:
        """Start with no rows."""
        self._rows: dict[str, dict[int, int]] = {name: {} for name in COUNTED}
        self.first_ms: int | None = None
        self.last_ms: int | None = None

    def add(self, times_ms: NDArray[np.int64]) -> None:
        """Count the rows of one batch."""
        if times_ms.size == 0:
            return
        low, high = int(times_ms.min()), int(times_ms.max())
        self.first_ms = low if self.first_ms is None else min(self.first_ms, low)
        self.last_ms = high if self.last_ms is None else max(self.last_ms, high)
        for name, held in self._rows.items():
            starts, counts = np.unique(Resolution(name).starts(times_ms), return_counts=True)
            for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
                held[start] = held.get(start, 0) + count

    def windows(self, resolution: str) -> int:
        """Give the number of windows that have rows."""
        return len(self._rows[resolution])

    def judged(self, resolution: str) -> int:
        """Give the number of windows that have the rows for a verdict."""
        return sum(rows >= MINIMUM_ROWS for rows in self._rows[resolution].values())

    def default(self) -> tuple[str, ...]:
        """Choose the widths at which four windows in five have the rows for a verdict, and always days."""
        return tuple(name for name in COUNTED if name == "1d" or self._is_worth(name))

    def _is_worth(self, name: str) -> bool:
        windows = self.windows(name)
        return windows > 0 and self.judged(name) >= ENOUGH_WINDOWS * windows


def parse_resolutions(text: str) -> tuple[str, ...]:
    """Read `--resolutions 1h,1d`, narrowest first.

    Raises:
        TableError: a name is none of the counted widths.

    >>> parse_resolutions("1d, 1h")
    ('1h', '1d')
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name in ("7d", "1M"):
            raise TableError(f"resolution {name!r} is made of days by itself: write 1d in --resolutions")
        if name not in COUNTED:
            raise TableError(f"resolution {name!r} does not exist: {suggestion(name, COUNTED)}")
    if not names:
        raise TableError("--resolutions names none: write one or more of 5m, 1h, 1d, as in 1h,1d")
    return ordered(names)


def ordered(names: Sequence[str]) -> tuple[str, ...]:
    """Give names once each, narrowest first."""
    return tuple(name for name in COUNTED if name in names)
