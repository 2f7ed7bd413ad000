"""Population stability index: how far the shares of cells moved, counted from both sides.

    PSI = sum_i (p_i - q_i) * ln(p_i / q_i)        p current, q reference, each share floored at 1e-4

In nats; 0 for equal shares, no upper limit but the floor's (below 18.5). It is the symmetric divergence of
Jeffreys (1946, "An invariant form for the prior probability in estimation problems"), under the name that
credit scoring gave it (Siddiqi 2006, "Credit Risk Scorecards"; 0.1 and 0.25 are its customary limits).
Cells are the deciles of the reference, or its levels with `other` and `unseen`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from driftline.streams.stats.shares import FLOOR, Array, defined, shares


def psi_of_shares(current: Array, reference: Array) -> Array:
    """PSI along the last axis of two arrays of shares; cells empty in both add nothing.

    Args:
        current: shares, shape (..., cells).
        reference: shares that broadcast against it.

    Returns:
        PSI in nats, shape (...); NaN where shares are.

    """
    p, q = np.maximum(current, FLOOR), np.maximum(reference, FLOOR)
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1), dtype=np.float64)


def psi(current: ArrayLike, reference: ArrayLike) -> float | None:
    """PSI of two rows of counts, in nats; None when one of them is empty.

    >>> round(psi([30, 70], [50, 50]), 6)
    0.16946
    >>> psi([0, 0], [50, 50]) is None
    True

    """
    return defined(psi_of_shares(shares(current), shares(reference)).item())
