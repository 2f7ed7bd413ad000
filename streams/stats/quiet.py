"""Quiet: has a deployment fewer events than its own past, at this hour of the week, makes probable?

The null is a negative binomial: the Poisson law, with a rate that varies from week to week by the deployment's own
variation. With the mean m and the sample variance s2 of K past weeks, and the part t of the hour that is over,

    phi_q = max(0, s2 / m^2 * (K - 1) / q - 1 / m)        overdispersion; q: a quantile of chi2 with K - 1 degrees
    variance = t m + (t m)^2 (phi_q + (1 / m + phi_q) / K)
    P(X <= x) = the average over q of NB(x; t m, variance)

The average allows for a variance that is known from a handful of weeks (the fiducial law of a variance, as in
Student's t), the term in 1 / K for such a mean. Without variation it is the gamma-Poisson predictive law.
Sources: Cameron and Trivedi 2013, "Regression Analysis of Count Data", ch. 3 (NB2 and the moment estimate of phi);
Aitchison and Dunsmore 1975, "Statistical Prediction Analysis".

Simulated on negative binomial weeks (4, 8, 26 of mean 5, 100, 10,000, phi 0 to 0.5; 3,000 each): at 1 % at most 1.3 %
alarm, at 5 % at most 5.5 %; of few events a week fewer do. A trend in the traffic is not allowed for: give recent
weeks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy.special import betainc, chdtri

from driftline.streams.stats.shares import Array
from driftline.streams.stats.verdict import Verdict

MINIMUM_WEEKS: Final = 4
LEVEL: Final = 0.001
"""Of the hours of a steady deployment, one in a thousand alarms: one in six weeks."""
_PARTS: Final = (np.arange(400) + 0.5) / 400


class Quiet(NamedTuple):
    """The verdict on a count.

    `value` is the count, `threshold` the greatest count that would be improbable (None when even silence would not be),
    `expected` the mean of the past for this part of the hour, `probability` that of so few, `level` the stated one;
    `reason` is a sentence. Undefined is None.
    """

    verdict: Verdict
    value: int
    threshold: int | None
    expected: float | None
    probability: float | None
    level: float
    reason: str


def quiet(past: Sequence[int], count: int, *, part: float = 1.0, level: float = LEVEL) -> Quiet:
    """Judge the events of one hour against the same hour of past weeks.

    Args:
        past: events of that hour, one number a week, (K,); weeks in which the deployment was not watched left out.
        count: events of this hour so far.
        part: how much of the hour is over, more than 0 and at most 1.
        level: probability of an alarm without a change.

    Returns:
        `fail` for silence and `warn` for fewer events than are probable, `ok` for enough. `inconclusive` with fewer
        than 4 weeks, and where events are so few that even silence would be within chance.

    >>> quiet([980, 1040, 1010, 995, 1022], 400).verdict
    'warn'
    >>> quiet([980, 1040, 1010, 995, 1022], 0).reason
    'Silent, where 1,009 events were to be expected; 835 or fewer would be improbable.'
    >>> quiet([3, 0, 1, 2, 0], 0).verdict
    'inconclusive'

    """
    weeks = np.asarray(past, np.float64)
    if len(weeks) < MINIMUM_WEEKS:
        reason = f"Only {len(weeks)} past weeks of this hour are known; a verdict needs {MINIMUM_WEEKS}."
        return Quiet("inconclusive", count, None, None, None, level, reason)
    expected = part * float(weeks.mean())
    if expected == 0:
        return Quiet(
            "inconclusive",
            count,
            None,
            0.0,
            1.0,
            level,
            "It has always been silent at this hour of the week.",
        )
    phi = _overdispersions(weeks)
    probability = _at_most(count, expected, phi)
    threshold = _greatest(expected, phi, level)
    verdict, reason = _decide(count, expected, threshold)
    return Quiet(verdict, count, threshold, expected, probability, level, reason)


def _overdispersions(weeks: Array) -> Array:
    """Overdispersion of the next week at each quantile of what is known of the variance, (400,); all above 0."""
    mean, freedom = weeks.mean(), len(weeks) - 1
    relative = weeks.var(ddof=1) / mean**2 * freedom / chdtri(freedom, _PARTS)
    own = np.maximum(0.0, relative - 1 / mean)
    return np.asarray(own + (1 / mean + own) / len(weeks))


def _at_most(count: int, mean: float, phi: Array) -> float:
    """P(X <= count) of the mixture; each part by the regularised incomplete beta function."""
    return float(betainc(1 / phi, count + 1.0, 1 / (1 + phi * mean)).mean())


def _greatest(mean: float, phi: Array, level: float) -> int | None:
    """The greatest count of which P(X <= count) is at most the level, by bisection; None when there is none."""
    if _at_most(0, mean, phi) > level:
        return None
    low, high = 0, max(1, int(mean))
    while _at_most(high, mean, phi) <= level:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _at_most(middle, mean, phi) <= level else (low, middle)
    return low


def _decide(count: int, expected: float, threshold: int | None) -> tuple[Verdict, str]:
    if threshold is None:
        said = f"{expected:,.3g} events are to be expected, with which even silence would be within chance."
        return "inconclusive", said
    bound = f"{threshold:,} or fewer would be improbable"
    if count > threshold:
        return "ok", f"{count:,} events, where {expected:,.0f} were to be expected; {bound}."
    if count == 0:
        return "fail", f"Silent, where {expected:,.0f} events were to be expected; {bound}."
    return "warn", f"Only {count:,} events, where {expected:,.0f} were to be expected; {bound}."
