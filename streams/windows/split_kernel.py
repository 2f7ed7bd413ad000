"""Split kernel: counts of one column by the values of one segment, compiled when the first segment is counted.

The few edges of deciles are all compared with each value, which vector instructions do faster than a search.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from driftline.streams.windows.kernel import built

if TYPE_CHECKING:
    from collections.abc import Callable


class SplitKernel(NamedTuple):
    """The compiled functions; each adds to its last argument in place, int64 (V, B), and leaves out what has no value.

    `numbers(values, edges, codes, place_of, counts)`: values and edges of one width, (rows,) and (B - 1,); codes int32
    (rows,) of the segment, -1 for null; place_of int64 (levels,), the place of each of the segment's levels.
    `levels(own, bin_of, codes, place_of, counts)`: own int32 (rows,), codes of a categorical column; bin_of int64.
    """

    numbers: Callable[..., None]
    levels: Callable[..., None]


@functools.cache
def compiled() -> SplitKernel:
    """Compile once a process, in seconds, or load from numba's cache on disk, in less."""
    from numba.core import types  # noqa: PLC0415 - half a second that only counting needs

    def read(kind: types.Type) -> types.Type:
        return types.Array(kind, 1, "C", readonly=True)

    ends = (read(types.int32), read(types.int64), types.Array(types.int64, 2, "C"))
    numbers = [types.void(read(width), read(width), *ends) for width in (types.float32, types.float64)]
    levels = [types.void(read(types.int32), read(types.int64), *ends)]
    return SplitKernel(built(_numbers, numbers), built(_levels, levels))


def _numbers(
    values: np.ndarray, edges: np.ndarray, codes: np.ndarray, place_of: np.ndarray, counts: np.ndarray
) -> None:
    for i in range(values.shape[0]):
        value, code = values[i], codes[i]
        if not np.isfinite(value) or code < 0 or code >= place_of.shape[0]:
            continue
        at = 0
        for k in range(edges.shape[0]):
            at += edges[k] < value
        counts[place_of[code], at] += 1


def _levels(
    own: np.ndarray, bin_of: np.ndarray, codes: np.ndarray, place_of: np.ndarray, counts: np.ndarray
) -> None:
    for i in range(own.shape[0]):
        level, code = own[i], codes[i]
        if level < 0 or level >= bin_of.shape[0] or code < 0 or code >= place_of.shape[0]:
            continue
        counts[place_of[code], bin_of[level]] += 1
