"""Jensen-Shannon distance: how well one row can be told to come from the one sample or the other.

    JS = sqrt( (KL(p || m) + KL(q || m)) / 2 ),  m = (p + q) / 2,  logarithms to base 2

Between 0 (equal shares) and 1 (no cell in common); a metric. Shares are not floored: empty cells are no
difficulty here. Source: Endres and Schindelin 2003, "A new metric for probability distributions".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from driftline.streams.stats.shares import Array, defined, shares


def js_of_shares(current: Array, reference: Array) -> Array:
    """Jensen-Shannon distance along the last axis of two arrays of shares.

    Args:
        current: shares, shape (..., cells).
        reference: shares that broadcast against it.

    Returns:
        Distances in [0, 1], shape (...); NaN where shares are.

    """
    middle = (current + reference) / 2
    divergence = (_relative_entropy(current, middle) + _relative_entropy(reference, middle)) / 2
    # Rounding may leave a hair below 0 or above 1; NaN passes through both.
    return np.sqrt(np.minimum(np.maximum(divergence, 0.0), 1.0))


def js_distance(current: ArrayLike, reference: ArrayLike) -> float | None:
    """Jensen-Shannon distance (base 2) of two rows of counts; None when one of them is empty.

    >>> js_distance([1, 0], [0, 1])
    1.0
    >>> round(js_distance([30, 70], [50, 50]), 6)
    0.174084

    """
    return defined(js_of_shares(shares(current), shares(reference)).item())


def _relative_entropy(part: Array, whole: Array) -> Array:
    """KL divergence in bits, with 0 * log 0 = 0."""
    ratio = np.divide(part, whole, out=np.ones_like(whole), where=part != 0)
    return np.asarray((part * np.log2(ratio)).sum(axis=-1), dtype=np.float64)
