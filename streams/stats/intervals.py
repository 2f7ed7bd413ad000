"""Intervals: where a figure would lie if the window were drawn again, rows and days both.

    iid    independent rows: Wilson for a proportion, the mean's or the delta method's error otherwise
    days   days are clusters, and a day resembles the one before it

Rows of one day share its weather, its customers, its faults; an interval that takes them for independent was 3
to 11 times too narrow on real streams. Over at least 20 days the figure is computed again without each day
(jackknife); d_i is what day i moved it by. Days that resemble their neighbours are worth fewer:

    f    = (1 + rho) / (1 - rho)                 rho: correlation of d_i with d_{i+1}, its bias taken out
    m_e  = m / f                                 days that count
    error^2 = f sum d_i^2 / m^2 / (1 - f / m)    the last factor: the mean of m days is fitted to them
    half-width = t_{m_e - 1} error

The wider of the two is the interval. Sources: Wilson 1927, "Probable inference, the law of succession, and
statistical inference"; Efron and Stein 1981, "The jackknife estimate of variance"; Marriott and Pope 1954,
"Bias in the estimation of autocorrelations"; Zwiers and von Storch 1995, "Taking serial correlation into
account in tests of the mean". Coverage is simulated by `scripts/simulate_intervals.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit

from driftline.streams.stats.shares import Array
from driftline.streams.stats.sums import Sum, centred_squares, floats

LEVEL: Final = 0.95
MINIMUM_DAYS: Final = 20
"""Fewer clusters say too little of how days differ."""
_LEAST_DAYS: Final = 3.0
"""Days that count, at least; fewer degrees of freedom than 2 give intervals without a use."""
_MOST_RHO: Final = 0.95


class Interval(NamedTuple):
    """Where a figure lies at the stated level; in its unit."""

    low: float
    high: float
    kind: Literal["iid", "days"]
    """`days` when days were looked at, even where independent rows turned out to be the wider."""

    def within(self, low: float, high: float) -> Interval:
        """Cut at the ends of the figure's range.

        >>> Interval(0.9, 1.1, "iid").within(0.0, 1.0)
        Interval(low=0.9, high=1.0, kind='iid')

        """
        return Interval(max(self.low, low), min(self.high, high), self.kind)


def wilson(successes: int, rows: int, level: float = LEVEL) -> Interval | None:
    """Score interval of a proportion of independent rows; None without rows.

    >>> low, high, kind = wilson(9, 10)
    >>> round(low, 4), round(high, 4), kind
    (0.5958, 0.9821, 'iid')

    """
    if rows <= 0:
        return None
    n, share = float(rows), successes / rows
    z = _normal(level)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    # The score interval touches 0 and 1 exactly where every row agrees; rounding must not cross them.
    low = 0.0 if successes == 0 else middle - half
    return Interval(low, 1.0 if successes == rows else middle + half, "iid")


def around(value: float | None, error: float | None, level: float = LEVEL) -> Interval | None:
    """Normal interval around a figure with a standard error.

    None when one of the two is unknown, or the error is 0: rows that all agree do not show their spread.
    """
    if value is None or not error:
        return None
    half = _normal(level) * error
    return Interval(value - half, value + half, "iid")


def of_mean(rows: int, total: Sum, squares: Sum, level: float = LEVEL) -> Interval | None:
    """Normal interval of a mean of independent rows, from their count, sum and sum of squares (numbers).

    None with fewer than two rows, or when all are equal.

    >>> low, high, _ = of_mean(100, 50, 50)
    >>> round(low, 3), round(high, 3)
    (0.402, 0.598)

    """
    if rows <= 1:
        return None
    variance = centred_squares(rows, total, squares).item() / (rows - 1) / rows
    return around(float(floats(total)) / rows, float(np.sqrt(variance)), level)


def over_days(
    figure: Callable[..., Array], statistics: Sequence[Sum], level: float = LEVEL
) -> Interval | None:
    """Interval of a figure whose rows come in days.

    Args:
        figure: takes sums, in the order of `statistics`, as float64 arrays of shape (m, ...), and gives the
            figure of each of the m, shape (m,); NaN where undefined.
        statistics: sums per day, each of shape (days, ...), days in ascending order. Integers of any size
            (an array of objects) are added exactly. Days that counted nothing are left out.
        level: probability that the interval covers.

    Returns:
        The interval; None with fewer than 20 days, or when the figure is undefined on all days, or without one
        of them, or the same without any of them.

    >>> hits, rows = np.array([8, 9] * 15), np.full(30, 10)
    >>> over_days(lambda hits, rows: hits / rows, [hits, rows]).kind
    'days'

    """
    days = [np.asarray(statistic) for statistic in statistics]
    seen = np.any([day.reshape(len(day), -1).astype(np.bool_).any(axis=1) for day in days], axis=0)
    count = int(seen.sum())
    if count < MINIMUM_DAYS:
        return None
    days = [day[seen] for day in days]
    totals = [day.sum(axis=0, keepdims=True) for day in days]
    found = figure(
        *(floats(np.concatenate([all_, all_ - day])) for day, all_ in zip(days, totals, strict=True))
    )
    value, without = float(found[0]), found[1:]
    if not np.isfinite(found).all():
        return None
    moved = (count - 1) * (without.mean() - without)
    error, counted = _error_of_days(moved)
    half = float(stdtrit(counted - 1, (1 + level) / 2)) * error
    return Interval(value - half, value + half, "days") if error > 0 else None


def wider(iid: Interval | None, days: Interval | None) -> Interval | None:
    """Join the interval of rows and that of days: the wider counts, and days speak for themselves.

    >>> wider(Interval(0.1, 0.4, "iid"), Interval(0.2, 0.4, "days"))
    Interval(low=0.1, high=0.4, kind='days')
    >>> wider(Interval(0.1, 0.4, "iid"), None).kind
    'iid'

    """
    if iid is None or days is None:
        return days or iid
    widest = max(iid, days, key=lambda interval: interval.high - interval.low)
    return widest._replace(kind="days")


def _error_of_days(moved: Array) -> tuple[float, float]:
    """Standard error of a mean of days that resemble their neighbours, and the days that count."""
    m = len(moved)
    squares = float((moved**2).sum())
    if squares == 0:
        return 0.0, float(m)
    found = float((moved[1:] * moved[:-1]).sum()) / squares
    # Around a fitted mean the correlation comes out too low by (1 + 4 rho) / m; the fifth is for the factor,
    # which bends. What is less than its own error, 1 / sqrt(m), is taken for chance. Both by simulation.
    rho = (m * found + 1) / (m - 5)
    rho = min(rho, _MOST_RHO) if rho > m**-0.5 else 0.0
    factor = min((1 + rho) / (1 - rho), m / _LEAST_DAYS)
    return float(np.sqrt(factor * squares / m**2 / (1 - factor / m))), m / factor


def _normal(level: float) -> float:
    return float(ndtri((1 + level) / 2))
