"""Hellinger distance: the angle-like distance between the roots of shares.

    H = sqrt( sum_i (sqrt(p_i) - sqrt(q_i))^2 / 2 )

Between 0 (equal shares) and 1 (no cell in common); a metric. Shares are not floored.
Source: Hellinger 1909, in the form of Le Cam and Yang 2000, "Asymptotics in Statistics", chapter 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from driftline.streams.stats.shares import Array, defined, shares


def hellinger_of_shares(current: Array, reference: Array) -> Array:
    """Hellinger distance along the last axis of two arrays of shares.

    Args:
        current: shares, shape (..., cells).
        reference: shares that broadcast against it.

    Returns:
        Distances in [0, 1], shape (...); NaN where shares are.

    """
    gaps = np.sqrt(current) - np.sqrt(reference)
    return np.asarray(np.sqrt(np.minimum((gaps * gaps).sum(axis=-1) / 2, 1.0)), dtype=np.float64)


def hellinger(current: ArrayLike, reference: ArrayLike) -> float | None:
    """Hellinger distance of two rows of counts; None when one of them is empty.

    >>> hellinger([1, 0], [0, 1])
    1.0
    >>> round(hellinger([30, 70], [50, 50]), 6)
    0.145237

    """
    return defined(hellinger_of_shares(shares(current), shares(reference)).item())
