"""Wasserstein-1 distance in reference standard deviations, from below: how far the values moved.

    W1 = integral |F(x) - G(x)| dx  >=  sum_b | integral over bin b of (F - G) dx |

Within a bin (a, c] the integral of F is known exactly from the count and the sum of its values,

    integral_a^c F dx = (c - a) * F(a) + p_b * c - S_b / n,

and so is the sum of the signed parts; only a change of sign inside a bin stays hidden, which makes the figure
a lower bound. Values are centred on the reference mean and scaled by its standard deviation, so the unit is
one sigma of the reference. Source: Vallender 1974, "Calculation of the Wasserstein distance between
probability distributions on the line".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from driftline.streams.stats.shares import Array, defined


def w1_of_bins(
    current: NDArray[np.integer],
    current_sums: Array,
    reference: NDArray[np.integer],
    reference_sums: Array,
    edges: Array,
) -> Array:
    """Lower bound of W1 along the last axis, in the unit of the sums and edges.

    Args:
        current: counts per bin, shape (..., bins); bin b is (edges[b-1], edges[b]], the ends are open.
        current_sums: sums of the values per bin.
        reference: counts per bin of the reference, which broadcast; rows may be padded by empty bins.
        reference_sums: sums of the values per bin.
        edges: finite edges in ascending order, shape (..., bins - 1); padding repeats the last edge.

    Returns:
        Lower bounds, shape (...); NaN where a row counts nothing or sums are NaN.

    """
    n, m = _total(current), _total(reference)
    # The end bins are open; F and G are level beyond the outermost value, so any finite end does.
    ends = edges if edges.shape[-1] else np.zeros((*edges.shape[:-1], 1))  # without edges all lies in one bin
    left = np.concatenate([ends[..., :1], edges], axis=-1)
    right = np.concatenate([edges, ends[..., -1:]], axis=-1)
    before = _before(current, n) - _before(reference, m)
    inside = (current / n - reference / m) * right - (current_sums / n - reference_sums / m)
    signed = before * (right - left) + inside
    return np.asarray(np.abs(signed).sum(axis=-1), dtype=np.float64)


def w1_sigma(
    current: ArrayLike,
    current_sums: ArrayLike,
    reference: ArrayLike,
    reference_sums: ArrayLike,
    edges: ArrayLike,
) -> float | None:
    """Lower bound of W1 of two rows of bins, in sigmas when sums and edges are; None when one is empty.

    One row at 0.5 against one at 1.5, told apart by the edge 1:

    >>> w1_sigma([1, 0], [0.5, 0], [0, 1], [0, 1.5], [1.0])
    1.0

    Without an edge the means alone are told apart:

    >>> w1_sigma([2], [1.0], [1], [1.5], []), w1_sigma([2], [1.0], [0], [0.0], [])
    (1.0, None)

    """
    return defined(
        w1_of_bins(
            np.asarray(current, np.int64),
            np.asarray(current_sums, np.float64),
            np.asarray(reference, np.int64),
            np.asarray(reference_sums, np.float64),
            np.asarray(edges, np.float64),
        ).item()
    )


def _total(counts: NDArray[np.integer]) -> Array:
    totals = counts.sum(axis=-1, keepdims=True).astype(np.float64)
    return np.asarray(np.where(totals > 0, totals, np.nan), dtype=np.float64)


def _before(counts: NDArray[np.integer], total: Array) -> Array:
    """Share of rows in the bins before each bin: F at its left end."""
    return np.asarray((np.cumsum(counts, axis=-1) - counts) / total, dtype=np.float64)
