"""Proportion: a share of counted rows with its Wilson interval.

    (k + z^2/2 +- z sqrt(k (n - k)/n + z^2/4)) / (n + z^2)

Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference". Inside [0, 1], and
of use at 0 and n too.
"""

from __future__ import annotations

from math import sqrt
from typing import Final, NamedTuple

Z: Final = 1.959963984540054
"""Standard deviations on either side that hold 95 % of a normal law."""


class Proportion(NamedTuple):
    """`hits` of `rows`, and its 95 % interval; the last three are None without rows."""

    hits: int
    rows: int
    value: float | None
    low: float | None
    high: float | None


def proportion(hits: int, rows: int) -> Proportion:
    """Give a share its interval.

    >>> [round(x, 4) for x in proportion(3, 10)[2:]]
    [0.3, 0.1078, 0.6032]
    >>> proportion(0, 0)
    Proportion(hits=0, rows=0, value=None, low=None, high=None)

    """
    if rows == 0:
        return Proportion(hits, rows, None, None, None)
    middle = hits + Z * Z / 2
    half = Z * sqrt(hits * (rows - hits) / rows + Z * Z / 4)
    whole = rows + Z * Z
    # At 0 and at all rows the ends are 0 and 1 but for rounding.
    low = 0.0 if hits == 0 else (middle - half) / whole
    high = 1.0 if hits == rows else (middle + half) / whole
    return Proportion(hits, rows, hits / rows, low, high)
