"""Edges: where the fine bins of a numeric column end, and how fine bins nest in its deciles.

Edges are computed on the values as they travel, so that a tie stays a tie: a quantile, which may fall between two
float32 values, is cut down to one (v <= e is the same question for both), a value itself is rounded as it travels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

DECILES: Final = np.arange(1, 10) / 10
FEATURE_QUANTILES: Final = np.arange(1, 129) / 128
SCORE_QUANTILES: Final = np.arange(1, 513) / 512
SCORE_MARKS: Final = np.arange(1, 10) / 10
TAIL_QUANTILES: Final = 256
"""Quantiles at either end of a score, geometric from 1/512 to one in a million: rare classes live there."""
_TAIL_LEAST: Final = 1e-6
ATOM_SHARE: Final = 0.01
"""Share of the finite values from which a value has a bin of its own."""
EXACT_INTEGERS: Final = 2**24
MOVED_SHARE: Final = 0.001
"""Share of reference values that float32 may move across an edge before a column travels as float64."""


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Edges of one column: float64 `fine` (E,), ascending; int16 `decile_of_bin` (E + 1,); float64 `atoms`."""

    fine: np.ndarray
    decile_of_bin: np.ndarray
    atoms: np.ndarray


def find_edges(values: np.ndarray, role: str, threshold: float | None = None) -> Edges:
    """Find the edges of finite values, float32 or float64 (n,), as they travel.

    Args:
        values: finite values of the reference; none gives one bin.
        role: a `score` has finer bins than a `feature`.
        threshold: of a score, above which the model says yes.
    """
    if len(values) == 0:
        return Edges(np.zeros(0), np.zeros(1, np.int16), np.zeros(0))
    dtype = values.dtype
    deciles = _cut(_quantiles(values, DECILES), dtype)
    quantiles = _cut(_quantiles(values, _levels(role)), dtype)
    distinct, counts = np.unique(values, return_counts=True)
    atoms = distinct[counts >= ATOM_SHARE * len(values)]
    below = _next_below(np.append(atoms, distinct[0]))
    marks = np.zeros(0, dtype)
    if role == "score":
        marks = np.append(SCORE_MARKS, [] if threshold is None else threshold).astype(dtype)
    # Adding 0.0 turns -0.0 into 0.0: they are one value, and must be one edge.
    fine = np.unique(np.concatenate([deciles, quantiles, atoms, below, distinct[-1:], marks]) + dtype.type(0))
    fine = fine.astype(np.float64)
    tops = np.append(fine, np.inf)
    decile_of_bin = np.searchsorted(np.unique(deciles).astype(np.float64), tops, side="left")
    return Edges(fine, decile_of_bin.astype(np.int16), atoms.astype(np.float64))


def travel_dtype(values: np.ndarray, role: str) -> np.dtype:
    """Choose the width for finite float64 values: float32, unless that would change what is counted.

    float64 is for integers past 2**24, and wherever float32 moves more than `MOVED_SHARE` of them across an edge.
    """
    single, double = np.dtype(np.float32), np.dtype(np.float64)
    if len(values) == 0 or values.dtype == single:
        return single
    if np.abs(values).max() > EXACT_INTEGERS and (values == np.rint(values)).all():
        return double
    edges = np.unique(_quantiles(values, np.union1d(DECILES, _levels(role))))
    with np.errstate(over="ignore"):
        cut, cut_edges = values.astype(single), edges.astype(single)
    moved = np.searchsorted(edges, values, side="left") != np.searchsorted(cut_edges, cut, side="left")
    moved |= np.isinf(cut)
    return double if np.count_nonzero(moved) > MOVED_SHARE * len(values) else single


def single_valued(edges: np.ndarray, dtype: npt.DTypeLike) -> np.ndarray:
    """Tell which of the bins between edges can hold one value only; bool (E + 1,).

    Args:
        edges: ascending, (E,); bin j is (edges[j - 1], edges[j]].
        dtype: of the values as they travel.

    >>> single_valued(np.array([0.0, np.nextafter(0.5, 0.0), 0.5]), np.float64)
    array([False, False,  True, False])

    """
    ends = edges.astype(dtype)
    single = np.zeros(len(ends) + 1, np.bool_)
    single[1:-1] = np.nextafter(ends[:-1], ends.dtype.type(np.inf)) == ends[1:]
    return single


def _levels(role: str) -> np.ndarray:
    if role != "score":
        return FEATURE_QUANTILES
    tail = (1 / 512) * (512 * _TAIL_LEAST) ** (np.arange(1, TAIL_QUANTILES + 1) / TAIL_QUANTILES)
    return np.concatenate([tail, SCORE_QUANTILES, 1 - tail])


def _quantiles(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Give numpy's default (linear) quantiles, float64, of values of any size."""
    if np.abs(values).max() < np.finfo(values.dtype).max / 4:
        return np.asarray(np.quantile(values, levels), np.float64)
    # Between values this large numpy's differences overflow; a quarter of each is exact enough there.
    return np.asarray(np.quantile(values.astype(np.float64) / 4, levels) * 4)


def _next_below(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # below the least number lies -inf, and that is meant
        return np.asarray(np.nextafter(values, values.dtype.type(-np.inf)))


def _cut(quantiles: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Give the greatest values of `dtype` that do not exceed the float64 quantiles."""
    near = quantiles.astype(dtype)
    return np.where(near.astype(np.float64) > quantiles, _next_below(near), near)
