"""Shares: counts of cells as parts of their total, which every distance starts from."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]

FLOOR = 1e-4
"""Smallest share that PSI sees: an empty cell weighs as one row in ten thousand, not as infinity."""


def shares(counts: ArrayLike) -> Array:
    """Divide counts by their total along the last axis.

    Args:
        counts: non-negative counts, shape (..., cells). Cells of zero may pad rows of unequal length.

    Returns:
        Shares of the same shape, each row summing to 1; NaN where a row counts nothing.

    >>> shares([1, 3]).tolist()
    [0.25, 0.75]
    >>> shares([0, 0]).tolist()
    [nan, nan]

    """
    values = np.asarray(counts, dtype=np.float64)
    totals = values.sum(axis=-1, keepdims=True)
    return values / np.where(totals > 0, totals, np.nan)


def defined(value: float) -> float | None:
    """Turn NaN into None: what cannot be known is null, never 0.

    >>> defined(float("nan")) is None
    True

    """
    return value if math.isfinite(value) else None
