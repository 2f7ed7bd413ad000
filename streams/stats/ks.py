"""Kolmogorov-Smirnov distance over bins, with the bound that bins leave open.

    D_h = max over edges of |F(e) - G(e)|          F, G: the two empirical distribution functions
    D_h <= D <= D_h + max_b min(p_b, q_b)          D: the distance on the raw values

Inside a bin F rises by p_b and G by q_b, in an order that counts do not show; a bin in which one of the two
is empty, or which holds a single value (an atom), hides nothing. Unitless, in [0, 1].
Source: Smirnov 1948, "Table for estimating the goodness of fit of empirical distributions"; the bound
follows from |F - G| at a point of bin b being at most min(p_b, q_b) above one of its ends.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from driftline.streams.stats.shares import Array, defined, shares


def ks_of_counts(
    current: NDArray[np.integer],
    reference: NDArray[np.integer],
    atoms: NDArray[np.bool_] | None = None,
) -> tuple[Array, Array]:
    """Distance over the edges and its upper bound, along the last axis.

    Args:
        current: integer counts per bin in the order of the edges, shape (..., bins).
        reference: counts that broadcast against them.
        atoms: True where a bin can hold one value only, shape (..., bins); None when no bin is known to.

    Returns:
        (lower, upper), each of shape (...); NaN where a row counts nothing.

    """
    # Integers are summed before the division, so that equal samples give exactly 0.
    f = _over_total(np.cumsum(current, axis=-1))
    g = _over_total(np.cumsum(reference, axis=-1))
    lower = np.abs(f - g).max(axis=-1)
    hidden = np.minimum(shares(current), shares(reference))
    if atoms is not None:
        hidden = np.where(atoms, 0.0, hidden)
    # A row that counts nothing is NaN in f already; the sum keeps it.
    return lower, np.minimum(lower + hidden.max(axis=-1), 1.0)


def ks_bounds(
    current: ArrayLike, reference: ArrayLike, atoms: ArrayLike | None = None
) -> tuple[float, float] | None:
    """Bounds (lower, upper) of the KS distance of two rows of counts; None when one of them is empty.

    >>> ks_bounds([1, 0, 3], [2, 1, 1])
    (0.5, 0.75)
    >>> ks_bounds([1, 0, 3], [2, 1, 1], atoms=[True, True, True])
    (0.5, 0.5)

    """
    mask = None if atoms is None else np.asarray(atoms, dtype=np.bool_)
    lower, upper = ks_of_counts(np.asarray(current, np.int64), np.asarray(reference, np.int64), mask)
    low, high = defined(lower.item()), defined(upper.item())
    return None if low is None or high is None else (low, high)


def _over_total(sums: NDArray[np.integer]) -> Array:
    """Cumulative counts as shares of their last one."""
    totals = sums[..., -1:].astype(np.float64)
    return np.asarray(sums / np.where(totals > 0, totals, np.nan), dtype=np.float64)
