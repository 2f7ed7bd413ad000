"""Rates: is a share of faulty rows higher than the reference's by more than chance?

With K faulty of m reference rows and k of n rows now, and both rare, k given k + K is binomial with the
probability n / (n + m), whatever the common rate is. So

    P(k or more) = I_{n/(n+m)}(k, K + 1)        I: the regularised incomplete beta function

and the null threshold is the k at which that is the level, over n; a share. For faults that are not rare the
test is conservative. Source: Przyborowski and Wilenski 1940, "Homogeneity of results in testing samples from
Poisson series"; Clopper and Pearson 1934 for the beta form.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import btdtria

from driftline.streams.stats.shares import Array


def rate_null(reference_faults: ArrayLike, reference_rows: ArrayLike, rows: ArrayLike, level: float) -> Array:
    """Share of faulty rows at and above which the rise over the reference is significant.

    Args:
        reference_faults: faulty rows of the reference, any shape.
        reference_rows: rows of the reference, which broadcast.
        rows: rows of the window, which broadcast.
        level: probability of reaching the threshold without a rise, at most.

    Returns:
        Shares; NaN where one side has no rows. Above 1 when no share would be significant.

    One fault in 200 rows is significant at 1 % when 20,000 reference rows had none, two at 0.04 %:

    >>> bool(rate_null(0, 20_000, 200, 0.01) * 200 <= 1)
    True
    >>> bool(1 < rate_null(0, 20_000, 200, 0.0004) * 200 <= 2)
    True

    """
    n, m = np.asarray(rows, np.float64), np.asarray(reference_rows, np.float64)
    known = np.minimum(n, m) > 0
    part = np.where(known, n / np.where(known, n + m, 1.0), 0.5)
    faults = btdtria(level, np.asarray(reference_faults, np.float64) + 1, part)
    return np.where(known, faults / np.where(known, n, 1.0), np.nan)
