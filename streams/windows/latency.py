"""Latency: reading the sketch of latencies, whose bins are 2**-6 of an octave wide (1.6 %).

A quantile is the middle of its bin, so within 0.8 % of a latency that was met. The bins come from the
bits of a float32 (exponent and the six upper bits of the fraction), as in HdrHistogram (Tene 2012), and
merge by addition.
"""

from __future__ import annotations

import numpy as np

from driftline.streams.windows.kernel import LATENCY_FIRST, LATENCY_INSIDE, LATENCY_SHIFT


def latency_bins(values: np.ndarray) -> np.ndarray:
    """Give the bin of each value that is no NaN and not negative, in any unit; int64, as the kernel counts them."""
    bits = values.astype(np.float32).view(np.int32)
    at = (bits >> LATENCY_SHIFT) - LATENCY_FIRST + 1
    return np.asarray(np.clip(at, 0, LATENCY_INSIDE + 1), np.int64)


def latency_rows(sketch: np.ndarray) -> int:
    """Count the rows whose latency is known."""
    return int(sketch[: LATENCY_INSIDE + 2].sum())


def latency_quantile(sketch: np.ndarray, share: float) -> float | None:
    """Give a quantile in ms; None without a known latency. 0 stands for under 1 µs, inf for over 70 minutes.

    Args:
        sketch: int64 (LATENCY_BINS,), `Counters.latency`.
        share: 0 .. 1; the least latency that this share of the rows does not exceed.
    """
    rows = latency_rows(sketch)
    if rows == 0:
        return None
    rank = max(1, int(np.ceil(share * rows)))
    at = int(np.searchsorted(np.cumsum(sketch[: LATENCY_INSIDE + 2]), rank))
    if at == 0:
        return 0.0
    if at == LATENCY_INSIDE + 1:
        return float("inf")
    bits = np.array([at - 1, at], np.int32) + np.int32(LATENCY_FIRST)
    low, high = (bits << LATENCY_SHIFT).astype(np.int32).view(np.float32).astype(np.float64)
    return float((low + high) / 2)
