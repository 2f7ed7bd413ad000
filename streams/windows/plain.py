"""Plain: the kernel in numpy, slower and easier to trust. Profiles are counted by it, tests compare both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftline.streams.windows.kernel import LO_BITS, LO_MASK, TERM_LIMIT


@dataclass(frozen=True, slots=True, eq=False)
class NumberCounts:
    """What one numeric column adds up to: int64 (bins,) each for counts, sums_lo and sums_hi (canonical)."""

    counts: np.ndarray
    sums_lo: np.ndarray
    sums_hi: np.ndarray
    nan: int
    posinf: int
    neginf: int
    saturated: int


def count_numbers(values: np.ndarray, edges: np.ndarray, mean: float, scale: float) -> NumberCounts:
    """Count float values (rows,) into len(edges) + 1 bins, with exact sums of their terms.

    `values` and `edges` have one width; `scale` is 2**40 / unit (`layout.term_scale`).
    """
    finite = values[np.isfinite(values)]
    bins = np.searchsorted(edges, finite, side="left")
    with np.errstate(over="ignore"):
        terms = (finite.astype(np.float64) - mean) * scale
    limit = float(TERM_LIMIT)
    saturated = int(np.count_nonzero(np.abs(terms) >= limit))
    whole = np.rint(np.clip(terms, -limit, limit)).astype(np.int64)
    sums_lo = np.zeros(len(edges) + 1, np.int64)
    sums_hi = np.zeros(len(edges) + 1, np.int64)
    np.add.at(sums_lo, bins, whole & LO_MASK)
    np.add.at(sums_hi, bins, whole >> LO_BITS)
    normalise(sums_lo, sums_hi)
    return NumberCounts(
        counts=np.bincount(bins, minlength=len(edges) + 1),
        sums_lo=sums_lo,
        sums_hi=sums_hi,
        nan=int(np.count_nonzero(np.isnan(values))),
        posinf=int(np.count_nonzero(np.isposinf(values))),
        neginf=int(np.count_nonzero(np.isneginf(values))),
        saturated=saturated,
    )


def normalise(lo: np.ndarray, hi: np.ndarray) -> None:
    """Carry, in place, so that 0 <= lo < 2**32: equal sums then have equal parts."""
    hi += lo >> LO_BITS
    lo &= LO_MASK
