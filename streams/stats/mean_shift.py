"""Shift of the mean in reference standard deviations: where the values lie now, with its sign.

    (mean of the current values - mean of the reference) / sd of the reference

Values are centred and scaled by the reference before they are added (exact sums), so the figure is their mean. It is
signed, unlike every distance: what change points are looked for in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftline.streams.stats.shares import Array


def mean_shift_of_bins(
    current: NDArray[np.integer], current_sums: Array, reference: NDArray[np.integer], reference_sums: Array
) -> Array:
    """Shift of the mean along the last axis, in the unit of the sums.

    Args:
        current: counts per bin, shape (..., bins).
        current_sums: sums of the values per bin.
        reference: counts per bin of the reference, which broadcast.
        reference_sums: sums of the values per bin.

    Returns:
        Shifts, shape (...); NaN where a side counts nothing or sums are NaN.

    >>> mean_shift_of_bins(np.array([1, 1]), np.array([0.5, 2.5]), np.array([2, 2]), np.array([-1.0, 1.0])).item()
    1.5

    """
    return _mean(current, current_sums) - _mean(reference, reference_sums)


def _mean(counts: NDArray[np.integer], sums: Array) -> Array:
    rows = counts.sum(axis=-1).astype(np.float64)
    return np.asarray(sums.sum(axis=-1) / np.where(rows > 0, rows, np.nan), dtype=np.float64)
