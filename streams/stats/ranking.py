"""AUC and average precision of counts per score bin, with the bounds that bins leave open.

    AUC = P(score of a positive > score of a negative) + P(equal) / 2

Between bins the order is known; inside a bin it is not. The value takes a bin for one score (a tie); the
worst order puts every negative of the bin above its positives, the best every positive above its negatives:

    AUC = value -/+ sum_b p_b n_b / (2 P N)         p_b, n_b: positives and negatives of bin b

    AP  = sum over positives of the precision at their score, over P

where equal scores are one threshold (scikit-learn's step-wise sum, no interpolation). Its least value inside a
bin has the negatives first and every positive a score of its own; its greatest has the positives first, all
with one score. A bin that holds a single value (an atom) hides nothing. Both unitless, in [0, 1].
Sources: Hanley and McNeil 1982, "The meaning and use of the area under a ROC curve"; DeLong, DeLong and
Clarke-Pearson 1988, "Comparing the areas under two or more correlated ROC curves" (the standard error).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma

from driftline.streams.stats.shares import Array, defined, shares

_FAR = 100.0
"""From here on the sum of reciprocals comes from its expansion, exact to 1e-14 and free of cancellation."""


class Bounds(NamedTuple):
    """A figure of bins, and the least and greatest it can be on the raw scores."""

    value: float
    low: float
    high: float


class BoundsOf(NamedTuple):
    """`Bounds` of many rows of bins, each of shape (...); NaN where undefined."""

    value: Array
    low: Array
    high: Array


def auc(positives: ArrayLike, negatives: ArrayLike, atoms: ArrayLike | None = None) -> Bounds | None:
    """Area under the ROC curve; None when one of the classes is empty.

    Args:
        positives: rows of the positive class per score bin, in ascending score, shape (B,).
        negatives: rows of the negative class, alike.
        atoms: True where a bin can hold one score only, shape (B,); None when no bin is known to.

    >>> auc([0, 1, 3], [3, 1, 0])
    Bounds(value=0.96875, low=0.9375, high=1.0)

    """
    return _bounds(auc_of(positives, negatives, atoms))


def average_precision(
    positives: ArrayLike, negatives: ArrayLike, atoms: ArrayLike | None = None
) -> Bounds | None:
    """Average precision; None without positives or without negatives. Arguments as of `auc`.

    >>> average_precision([0, 1, 1], [3, 1, 0])
    Bounds(value=0.8333333333333333, low=0.8333333333333333, high=1.0)

    """
    return _bounds(average_precision_of(positives, negatives, atoms))


def auc_of(positives: ArrayLike, negatives: ArrayLike, atoms: ArrayLike | None = None) -> BoundsOf:
    """`auc` along the last axis: counts of shape (..., B) give bounds of shape (...)."""
    p, n = shares(positives), shares(negatives)
    value = (p * (np.cumsum(n, axis=-1) - n / 2)).sum(axis=-1)
    hidden = (np.where(_open(atoms), p * n, 0.0)).sum(axis=-1) / 2
    return BoundsOf(value, value - hidden, value + hidden)


def average_precision_of(
    positives: ArrayLike, negatives: ArrayLike, atoms: ArrayLike | None = None
) -> BoundsOf:
    """`average_precision` along the last axis: counts of shape (..., B) give bounds of shape (...)."""
    p, n = np.asarray(positives, np.float64), np.asarray(negatives, np.float64)
    # Positives and negatives of the bins above, and with the bin itself.
    above_p, above_n = _from_above(p) - p, _from_above(n) - n
    through_p, through_n = above_p + p, above_n + n
    tied = _times(p, through_p, through_p + through_n)
    least = p - through_n * _reciprocals(above_p + through_n, p)
    most = _times(p, through_p, through_p + above_n)
    hides = _open(atoms)
    both = (p.sum(axis=-1) > 0) & (n.sum(axis=-1) > 0)
    total = np.where(both, p.sum(axis=-1), np.nan)
    # Bin by bin the order below holds; rounding must not break it.
    low, high = np.where(hides, np.minimum(least, tied), tied), np.where(hides, np.maximum(most, tied), tied)
    return BoundsOf(tied.sum(axis=-1) / total, low.sum(axis=-1) / total, high.sum(axis=-1) / total)


def auc_error(positives: ArrayLike, negatives: ArrayLike) -> float | None:
    """Standard error of the AUC between independent rows (DeLong, mid-ranks inside bins).

    Args:
        positives: rows of the positive class per score bin, in ascending score, shape (B,).
        negatives: rows of the negative class, alike.

    Returns:
        The error of `auc(...).value`; None with fewer than two rows of a class.

    >>> round(auc_error([1, 2, 5], [5, 2, 1]), 4)
    0.1095

    """
    p, n = np.asarray(positives, np.float64), np.asarray(negatives, np.float64)
    total_p, total_n = p.sum(), n.sum()
    if min(total_p, total_n) <= 1:
        return None
    share_p, share_n = p / total_p, n / total_n
    # Share of negatives below each positive, and of positives above each negative.
    below = np.cumsum(share_n) - share_n / 2
    above = 1 - np.cumsum(share_p) + share_p / 2
    area = (share_p * below).sum()
    variance = (share_p * (below - area) ** 2).sum() / (total_p - 1)
    variance += (share_n * (above - area) ** 2).sum() / (total_n - 1)
    return float(np.sqrt(variance))


def _bounds(found: BoundsOf) -> Bounds | None:
    value, low, high = (float(figure) for figure in found)
    return None if defined(value) is None else Bounds(value, low, high)


def _open(atoms: ArrayLike | None) -> NDArray[np.bool_]:
    """Mark the bins whose inner order counts do not show."""
    return ~np.asarray(False if atoms is None else atoms, dtype=np.bool_)


def _from_above(counts: Array) -> Array:
    """Rows in each bin and the bins above it."""
    return np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]


def _times(p: Array, hits: Array, rows: Array) -> Array:
    """Precision hits / rows for each of p positives; 0 where there are none."""
    return np.asarray(p * hits / np.maximum(rows, 1.0), dtype=np.float64)


def _reciprocals(x: Array, count: Array) -> Array:
    """Sum over i = 1..count of 1 / (x + i).

    Near 0 a difference of digammas; beyond, the midpoint rule with two terms of Euler and Maclaurin, for the
    difference of two large logarithms would lose what precision needs.
    """
    near = np.minimum(x, _FAR)
    exact = digamma(near + count + 1) - digamma(near + 1)
    a, b = x + 0.5, x + count + 0.5
    far = np.log1p(count / a) - (a**-2 - b**-2) / 24 + 7 / 960 * (a**-4 - b**-4)
    return np.where(x < _FAR, exact, far)
