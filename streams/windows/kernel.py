"""Kernel: one pass over a batch that counts every value into its bin and adds its exact term.

Numba compiles it; `driftline.streams.windows.plain` says the same in numpy, and a property test holds the two
bit-equal. No fast-math: a result does not depend on the machine, the order of rows or the cut into batches.

Bins. What `searchsorted(edges, v, side="left")` gives, found by a grid. Cell c(v) = floor((v - low) *
scale), cut to the grid, never falls as v grows, whatever the rounding; so every edge in an earlier cell
lies below v, and stepping on from grid[c], the number of such edges, ends at the answer.

Sums. A term is (v - mean) * (2**40 / unit), rounded once to an integer (half to even): (v - mean) / sd
in steps of 2**-40. Sums are kept as hi * 2**32 + lo. Terms under 64 units go whole into lo, which
`FAST_ROWS` of them cannot overflow: callers normalise by then. Greater ones are split; past 2**20 units
a term is cut and counted as saturated.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numba.core.typing.templates import Signature

GRID_CELLS: Final = 1024
FRACTION_BITS: Final = 40
FAST_LIMIT: Final = float(1 << (6 + FRACTION_BITS))
TERM_LIMIT: Final = 1 << (20 + FRACTION_BITS)
FAST_ROWS: Final = 1 << 16
LO_BITS: Final = 32
LO_MASK: Final = (1 << LO_BITS) - 1

# Rows of the cell table, int64 (3, bins).
COUNT: Final = 0
LO: Final = 1
HI: Final = 2

# Columns of the quality table, int64 (columns, 7).
NULLS: Final = 0
NAN: Final = 1
POSINF: Final = 2
NEGINF: Final = 3
WRONG: Final = 4
MISSING: Final = 5
SATURATED: Final = 6
QUALITIES: Final = 7

# The latency sketch: bins of 2**-6 of an octave, from 2**-10 ms to 2**22 ms (70 minutes), below, above,
# unknown.
LATENCY_SHIFT: Final = 17
LATENCY_FIRST: Final = (127 - 10) << 6
LATENCY_INSIDE: Final = 32 * 64
LATENCY_BINS: Final = LATENCY_INSIDE + 3

_CHUNK: Final = 512  # rows whose terms, cells and bins fit the first-level cache
_LAST_CELL: Final = float(GRID_CELLS - 1)
_TERM_LIMIT: Final = float(TERM_LIMIT)


@dataclass(frozen=True, slots=True)
class Kernel:
    """The compiled functions. Each adds to its last arguments in place.

    `numbers(values, pick, places, scales, edges, grid, cells, quality)`: values (k, rows), float32 or
    float64, C order; pick int64 (n, 2), the row of `values` and the slot of each column to count; the
    other tables as `driftline.streams.windows.layout.Layout` makes them. `codes(codes, bin_of, column,
    cells, quality)`: codes int32 (rows,), -1 for null; bin_of int64 (levels,), the cell of each level.
    `latency(bits, sketch)`: bits int32 (rows,) of float32 milliseconds; sketch int64 (LATENCY_BINS,).
    """

    numbers: Callable[..., None]
    codes: Callable[..., None]
    latency: Callable[..., None]


@functools.cache
def compiled() -> Kernel:
    """Compile the kernel once a process, in seconds, or load it from numba's cache on disk, in less."""
    from numba.core import types  # noqa: PLC0415 - half a second that only counting needs

    def read(kind: types.Type, dimensions: int) -> types.Type:
        # Read-only, as arrays over a message's bytes are; what can be written is taken too.
        return types.Array(kind, dimensions, "C", readonly=True)

    cells, sketch = types.Array(types.int64, 2, "C"), types.Array(types.int64, 1, "C")
    tables = (read(types.int64, 2), read(types.int64, 2), read(types.float64, 2))
    numbers = [
        types.void(read(width, 2), *tables, read(width, 1), read(types.uint16, 2), cells, cells)
        for width in (types.float32, types.float64)
    ]
    codes = [types.void(read(types.int32, 1), read(types.int64, 1), types.int64, cells, cells)]
    latency = [types.void(read(types.int32, 1), sketch)]

    return Kernel(built(_numbers, numbers), built(_codes, codes), built(_latency, latency))


def built(function: Callable[..., None], signatures: list[Signature]) -> Callable[..., None]:
    """Compile a function for these signatures, from numba's cache on disk where that can be."""
    import numba  # noqa: PLC0415 - half a second that only counting needs

    try:
        return numba.njit(signatures, cache=True, error_model="numpy")(function)
    except RuntimeError:  # no folder to cache in can be written: each start compiles, in seconds
        return numba.njit(signatures, error_model="numpy")(function)


def warm() -> None:
    """Have the kernel compiled now, so that no message waits for it. Call before subscribing."""
    compiled()


def _numbers(  # noqa: C901, PLR0912, PLR0915 - one pass: a call for each value would cost more than it does
    values: np.ndarray,
    pick: np.ndarray,
    places: np.ndarray,
    scales: np.ndarray,
    edges: np.ndarray,
    grid: np.ndarray,
    cells: np.ndarray,
    quality: np.ndarray,
) -> None:
    rows = values.shape[1]
    cell_of = np.empty(_CHUNK, np.uint32)
    term_of = np.empty(_CHUNK, np.int64)
    bin_of = np.empty(_CHUNK, np.uint32)
    for n in range(pick.shape[0]):
        slot = pick[n, 1]
        column = places[slot, 2]
        mean, unit, low, scale = scales[slot, 0], scales[slot, 1], scales[slot, 2], scales[slot, 3]
        # Each column's part ends with a cell for what the fast path leaves out; two +inf end its edges.
        first = grid[slot]
        inner = edges[places[slot, 0] : places[slot, 1]]
        count = cells[COUNT, places[slot, 0] : places[slot, 1]]
        total = cells[LO, places[slot, 0] : places[slot, 1]]
        upper = cells[HI, places[slot, 0] : places[slot, 1]]
        aside = count.shape[0] - 1
        for start in range(0, rows, _CHUNK):
            chunk = values[pick[n, 0], start : min(rows, start + _CHUNK)]
            size = chunk.shape[0]
            # Three plain loops, not one: the compiler turns the first into vector instructions, and the
            # others into loads and stores that do not wait for each other.
            fast = 0
            for i in range(size):
                value = np.float64(chunk[i])
                term = (value - mean) * unit
                near = abs(term) < FAST_LIMIT
                fast += near
                term_of[i] = np.int64(np.rint(term if near else 0.0))
                place = (value - low) * scale
                place = place if place > 0.0 else 0.0  # noqa: FURB136 - and so NaN becomes 0
                place = place if place < _LAST_CELL else _LAST_CELL  # noqa: FURB136 - likewise
                cell_of[i] = np.uint32(np.int32(place)) if near else np.uint32(GRID_CELLS)
            for i in range(size):
                j = np.uint32(first[cell_of[i]])
                j += np.uint32(inner[j] < chunk[i])
                bin_of[i] = j
            for i in range(size):
                j = bin_of[i]
                # Rare: two edges in one cell of the grid, or a value where a heavy tail crowds many.
                while inner[j] < chunk[i]:
                    j += np.uint32(1)
                count[j] += 1
                total[j] += term_of[i]
            if fast < size:
                for i in range(size):
                    if cell_of[i] != GRID_CELLS:
                        continue
                    raw = chunk[i]
                    value = np.float64(raw)
                    if np.isnan(value):
                        quality[column, NAN] += 1
                    elif np.isinf(value):
                        quality[column, POSINF if value > 0.0 else NEGINF] += 1
                    else:
                        term = (value - mean) * unit
                        if abs(term) >= _TERM_LIMIT:
                            quality[column, SATURATED] += 1
                            term = _TERM_LIMIT if term > 0.0 else -_TERM_LIMIT
                        whole = np.int64(np.rint(term))
                        j = np.uint32(np.searchsorted(inner, raw))
                        count[j] += 1
                        total[j] += whole & LO_MASK
                        upper[j] += whole >> LO_BITS
        count[aside] = 0
        total[aside] = 0


def _codes(
    codes: np.ndarray, bin_of: np.ndarray, column: int, cells: np.ndarray, quality: np.ndarray
) -> None:
    # By code + 1: null, the levels, and codes without a level, which readers refuse and which may write nothing
    # outside the table. Four counts of each, taken in turn, since adding to one number twice in a row has to wait.
    levels = bin_of.shape[0]
    outside = np.uint32(levels + 1)
    met = np.zeros((levels + 2, 4), np.int64)
    for i in range(codes.shape[0]):
        entry = np.uint32(codes[i] + 1)
        met[min(entry, outside), i & 3] += 1
    quality[column, NULLS] += met[0].sum()
    quality[column, WRONG] += met[levels + 1].sum()
    for level in range(levels):
        cells[COUNT, bin_of[level]] += met[level + 1].sum()


def _latency(bits: np.ndarray, sketch: np.ndarray) -> None:
    for i in range(bits.shape[0]):
        # Exponent and six bits of the fraction of a float32: an index that is exact on every machine.
        at = (bits[i] >> LATENCY_SHIFT) - LATENCY_FIRST
        if (bits[i] & 0x7FFFFFFF) > 0x7F800000:  # noqa: PLR2004 - the bits of +inf: above them lies NaN
            sketch[LATENCY_INSIDE + 2] += 1
        elif at < 0:
            sketch[0] += 1
        elif at >= LATENCY_INSIDE:
            sketch[LATENCY_INSIDE + 1] += 1
        else:
            sketch[at + 1] += 1
