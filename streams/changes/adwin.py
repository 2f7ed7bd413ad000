"""ADWIN: a window over the newest values that drops its old part once that has another mean than the new part.

Values lie in buckets of 1, 2, 4, ... values, at most five of a size, so n values take some 5 log2(n) buckets. Every
boundary between buckets cuts the window into an old part of n0 values and a new one of n1, and a cut counts when

    |mean0 - mean1| > sqrt(2 m s^2 d) + 2/3 m d,     m = 1 / (n0 - 4) + 1 / (n1 - 4),  d = ln(2 ln(n) / delta)

with s^2 the variance of the whole window; then the oldest bucket is dropped, until no cut counts. Values are taken to
span about 1. Each bucket knows when its first value began, so a change has a moment: the boundary of the cut that
exceeds its limit by the greatest factor, which is exact to the size of the bucket there.

Source: Bifet and Gavalda 2007, "Learning from time-changing data with adaptive windowing"; variance of buckets by
Babcock and others 2003, "Maintaining variance and k-medians over data stream windows". Widths equal those of river's
AdaptiveWindowing (0.26.1) value by value; river's `ADWIN` forgets the new part as well after each change.
"""

from __future__ import annotations

import math
from typing import Annotated, Final, NamedTuple, TypeAlias

import msgspec

DELTA: Final = 0.002
"""Probability of a change that is none, at most, by the bound for independent values."""
BUCKETS: Final = 5
"""Buckets of one size."""
LEAST_PART: Final = 5
"""Values in either part of a cut, at least."""
GRACE: Final = 10
"""Values up to which nothing is looked for."""
_SIZES: Final = 40

Bucket: TypeAlias = tuple[float, float, int]
"""Sum of its values, sum of their squared distances from their mean, and the start of its first one, ms."""


class Change(NamedTuple):
    """A change of the mean.

    Attributes:
        since_ms: start of the first value of the new part.
        before: mean of the old part.
        after: mean of the new part.
        old: values in the old part.
        new: values in the new part.
    """

    since_ms: int
    before: float
    after: float
    old: int
    new: int


class Adwin(msgspec.Struct):
    """The window; every field is its state, so that what is stored and read again goes on exactly.

    Attributes:
        delta: see `DELTA`.
        width: values in the window.
        total: their sum.
        spread: sum of their squared distances from their mean.
        rows: buckets of 2^i values each, i its place, oldest first.
    """

    delta: Annotated[float, msgspec.Meta(gt=0, lt=1)] = DELTA
    width: int = 0
    total: float = 0.0
    spread: float = 0.0
    rows: Annotated[list[list[Bucket]], msgspec.Meta(min_length=1, max_length=_SIZES)] = msgspec.field(
        default_factory=lambda: [[]]
    )

    def update(self, value: float, start_ms: int) -> Change | None:
        """Take in the next value; give the change that it shows, or None.

        Args:
            value: finite.
            start_ms: when what it is a figure of began, ms since 1970; not before that of the value before it.
        """
        self.width += 1
        if self.width > 1:
            apart = value - self.total / (self.width - 1)
            self.spread += (self.width - 1) * apart * apart / self.width
        self.total += value
        self.rows[0].append((value, 0.0, start_ms))
        self._merge()
        found = self._cut()
        first = found
        while found is not None:
            self._drop()
            found = self._cut()
        return first

    def _merge(self) -> None:
        """Join the two oldest buckets of a size that has one too many."""
        for size, row in enumerate(self.rows):
            if len(row) <= BUCKETS:
                return
            if size + 1 == len(self.rows):
                self.rows.append([])
            (total, spread, start_ms), (next_total, next_spread, _) = row[:2]
            values = 1 << size
            apart = (total - next_total) / values
            joined = spread + next_spread + values * apart * apart / 2
            self.rows[size + 1].append((total + next_total, joined, start_ms))
            del row[:2]

    def _cut(self) -> Change | None:
        """Find the cut that exceeds its limit by the greatest factor; None when none does."""
        if self.width <= GRACE:
            return None
        confidence = math.log(2 * math.log(self.width) / self.delta)
        variance = max(self.spread, 0.0) / self.width
        old, total, most = 0, 0.0, 1.0
        found: tuple[int, float] | None = None
        starts: list[tuple[int, int]] = []
        for size in range(len(self.rows) - 1, -1, -1):
            for bucket_total, _, start_ms in self.rows[size]:
                starts.append((old, start_ms))
                old += 1 << size
                total += bucket_total
                new = self.width - old
                if min(old, new) < LEAST_PART:
                    continue
                weight = 1 / (old - LEAST_PART + 1) + 1 / (new - LEAST_PART + 1)
                limit = math.sqrt(2 * weight * variance * confidence) + 2 / 3 * confidence * weight
                factor = abs(total / old - (self.total - total) / new) / limit
                if factor > most:
                    found, most = (old, total), factor
        if found is None:
            return None
        old, total = found
        new = self.width - old
        return Change(dict(starts)[old], total / old, (self.total - total) / new, old, new)

    def _drop(self) -> None:
        """Forget the oldest bucket."""
        total, spread, _ = self.rows[-1].pop(0)
        values = 1 << (len(self.rows) - 1)
        self.width -= values
        self.total -= total
        apart = total / values - self.total / self.width
        self.spread -= spread + values * self.width * apart * apart / (values + self.width)
        while len(self.rows) > 1 and not self.rows[-1]:
            self.rows.pop()
