"""Contrast: the difference and the ratio of two shares of different rows, with 95 % intervals.

Both take the ends of the two Wilson intervals, (l, u), and join what they lie off their shares:

    p - q    low  = d - sqrt((p - l_p)^2 + (u_q - q)^2)       d = p - q; high alike with the other ends
    p / q    low  = l_p (2p - l_p) / (pq + sqrt((pq)^2 - l_p u_q (2p - l_p) (2q - u_q)))
             high = (pq + sqrt((pq)^2 - u_p l_q (2p - u_p) (2q - l_q))) / (l_q (2q - l_q))

Sources: Newcombe 1998, "Interval estimation for the difference between independent proportions" (method 10); Donner
and Zou 2012, "Closed-form confidence intervals for functions of the normal mean and standard deviation" (ratios).
"""

from __future__ import annotations

from math import hypot, sqrt
from typing import NamedTuple

from driftline.streams.stats.proportion import Proportion


class Contrast(NamedTuple):
    """How far a share lies from another one; None where it cannot be known, as a ratio to 0."""

    value: float | None
    low: float | None
    high: float | None


UNKNOWN = Contrast(None, None, None)


def difference(one: Proportion, other: Proportion) -> Contrast:
    """Give one - other, between -1 and 1.

    >>> from driftline.streams.stats.proportion import proportion
    >>> [round(x, 4) for x in difference(proportion(56, 70), proportion(48, 80))]
    [0.2, 0.0524, 0.3339]

    """
    mine, its = _ends(one), _ends(other)
    if mine is None or its is None:
        return UNKNOWN
    (p, l_p, u_p), (q, l_q, u_q) = mine, its
    return Contrast(p - q, p - q - hypot(p - l_p, u_q - q), p - q + hypot(u_p - p, q - l_q))


def ratio(one: Proportion, other: Proportion) -> Contrast:
    """Give one / other; unknown where the other share is 0.

    >>> from driftline.streams.stats.proportion import proportion
    >>> [round(x, 3) for x in ratio(proportion(56, 70), proportion(48, 80))]
    [1.333, 1.078, 1.663]

    """
    mine, its = _ends(one), _ends(other)
    if mine is None or its is None or other.hits == 0:
        return UNKNOWN
    (p, l_p, u_p), (q, l_q, u_q) = mine, its
    below = sqrt(max((p * q) ** 2 - l_p * u_q * (2 * p - l_p) * (2 * q - u_q), 0.0))
    above = sqrt(max((p * q) ** 2 - u_p * l_q * (2 * p - u_p) * (2 * q - l_q), 0.0))
    low = 0.0 if p == 0 else l_p * (2 * p - l_p) / (p * q + below)
    return Contrast(p / q, low, (p * q + above) / (l_q * (2 * q - l_q)))


def _ends(share: Proportion) -> tuple[float, float, float] | None:
    """Give a share and the ends of its interval; None without rows."""
    if share.value is None or share.low is None or share.high is None:
        return None
    return share.value, share.low, share.high
