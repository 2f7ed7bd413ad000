"""Intervals: where a figure would lie if the window were drawn again, rows and days both.

    iid    independent rows: Wilson for a proportion, the mean's or the delta method's error otherwise
    days   days are clusters, and a day resembles the one before it

Rows of one day share its weather, its customers, its faults; an interval that takes them for independent was 3
to 11 times too narrow on real streams. Over at least 20 days the figure is computed again without each day
(jackknife); d_i is what day i moved it by. What lasts over days shows in the slow waves of d, so the mean power of
the slowest v of them stands for that at no frequency, and v is its degrees of freedom:

    P_j   = 2/m (sum_i d_i cos(pi j (i - 1/2) / m))^2          j = 1..v,  v = max(3, 0.4 m^(2/3))
    L     = mean of P_j / g_j                                  variance of m times the figure, over m
    half-width = t_v sqrt(L / m)

g_j < 1 is the fall of the spectrum from 0 to wave j: that of an AR(1), whose correlation comes from neighbouring
days, above the flat one of independent rows within days, which the iid interval tells. Where L is hardly above that
flat part, days do not show, and the iid interval stands; else the wider of the two. (A factor for lag-one
correlation alone, without the slow waves, covered 87 % where weak effects last.)

Sources: Wilson 1927, "Probable inference, the law of succession, and statistical inference"; Efron and Stein 1981,
"The jackknife estimate of variance"; Lazarus, Lewis, Stock and Watson 2018, "HAR inference: recommendations for
practice" (cosine waves, their number and t); Andrews and Monahan 1992, "An improved heteroskedasticity and
autocorrelation consistent covariance matrix estimator" (g_j, there prewhitening). Coverage is simulated by
`scripts/simulate_intervals.py`.
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
_LEAST_WAVES: Final = 3
"""Fewer degrees of freedom give intervals without a use."""
_MOST_RHO: Final = 0.85
_LEAST_SHARE: Final = 0.1
_SHOWS: Final = 1.1
"""How far above the power of independent rows that of days must be; by simulation, as the two above."""


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
    figure: Callable[..., Array], statistics: Sequence[Sum], iid: Interval | None = None, level: float = LEVEL
) -> Interval | None:
    """Interval of a figure whose rows come in days.

    Args:
        figure: takes sums, in the order of `statistics`, as float64 arrays of shape (m, ...), and gives the
            figure of each of the m, shape (m,); NaN where undefined.
        statistics: sums per day, each of shape (days, ...), days in ascending order. Integers of any size
            (an array of objects) are added exactly. Days that counted nothing are left out.
        iid: the interval of the same rows as independent ones, at the same level; None where none is known, and
            then it is a little less sure how far days differ.
        level: probability that the interval covers.

    Returns:
        The interval, of kind `days`; None where days are all alike and no other interval is known. `iid` as it came
        with fewer than 20 days, or when the figure is undefined on all days or without one of them.

    >>> hits, rows = np.array([8, 9] * 15), np.full(30, 10)
    >>> over_days(lambda hits, rows: hits / rows, [hits, rows]).kind
    'days'

    """
    days = [np.asarray(statistic) for statistic in statistics]
    seen = np.any([day.reshape(len(day), -1).astype(np.bool_).any(axis=1) for day in days], axis=0)
    count = int(seen.sum())
    if count < MINIMUM_DAYS:
        return iid
    days = [day[seen] for day in days]
    totals = [day.sum(axis=0, keepdims=True) for day in days]
    found = figure(
        *(floats(np.concatenate([all_, all_ - day])) for day, all_ in zip(days, totals, strict=True))
    )
    value, without = float(found[0]), found[1:]
    moved = (count - 1) * (without.mean() - without)
    if not np.isfinite(found).all():
        return iid
    if not moved.any():
        return None if iid is None else iid._replace(kind="days")
    flat = 0.0 if iid is None else count * ((iid.high - iid.low) / 2 / _normal(level)) ** 2
    power, freedom = _power_of_days(moved, flat)
    if iid is not None and power < _SHOWS * flat:
        return iid._replace(kind="days")
    half = float(stdtrit(freedom, (1 + level) / 2)) * float(np.sqrt(power / count))
    if iid is not None and iid.high - iid.low > 2 * half:
        return iid._replace(kind="days")
    return Interval(value - half, value + half, "days")


def _power_of_days(moved: Array, flat: float) -> tuple[float, int]:
    """Power of days at no frequency, `flat` of which is that of independent rows, and its degrees of freedom."""
    m = len(moved)
    waves = max(round(0.4 * m ** (2 / 3)), _LEAST_WAVES)
    frequency = np.pi * np.arange(1, waves + 1) / m
    found = 2 / m * (np.cos(np.outer(frequency, np.arange(m) + 0.5)) @ moved) ** 2
    total = float(moved @ moved)
    share = min(max(1 - flat * (m - 1) / total, 0.0), 1.0)
    # Around a fitted mean the correlation comes out too low by (1 + 4 rho) / m; this is for one half.
    lag = (float(moved[1:] @ moved[:-1]) / total + 3 / m) / max(share, _LEAST_SHARE)
    rho = min(max(lag, 0.0), _MOST_RHO)
    spectrum = 1 - share + share * (1 - rho**2) / (1 - 2 * rho * np.cos(np.append(0.0, frequency)) + rho**2)
    return float((found * spectrum[0] / spectrum[1:]).mean()), waves


def _normal(level: float) -> float:
    return float(ndtri((1 + level) / 2))
