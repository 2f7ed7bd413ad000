"""Grid: equal cells over a column's edges, each knowing how many edges lie before it.

Where the cells lie does not change any result (see `driftline.streams.windows.kernel`), only how many
edges a value steps over. So the range is chosen by the reference: of several cuts of the tails, the one
with the fewest steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from driftline.streams.windows.kernel import GRID_CELLS

# Edges left out at either end; the tails of a heavy-tailed column would else take most of the cells.
_CUTS: Final = (0, 1, 2, 3, 5, 8, 12, 16, 24, 32, 48, 96, 192, 384)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Cell of v: (v - low) * scale, cut to 0 .. GRID_CELLS - 1 and truncated.

    `before` is int64 (GRID_CELLS,): how many edges lie in earlier cells. With scale 0 all values share
    cell 0.
    """

    low: float
    scale: float
    before: np.ndarray


def choose(edges: np.ndarray, counts: np.ndarray) -> Grid:
    """Lay the grid over float64 `edges` (E,) so that the reference's `counts` (E + 1,) step over few."""
    best = Grid(0.0, 0.0, np.zeros(GRID_CELLS, np.int64))
    least = _steps(best, edges, counts)
    inside = edges[np.isfinite(edges)]
    for cut in _CUTS:
        last = len(inside) - 1 - cut
        if last <= cut:
            break
        grid = _over(edges, float(inside[cut]), float(inside[last]))
        steps = _steps(grid, edges, counts)
        if steps < least:
            best, least = grid, steps
    return best


def cells_of(values: np.ndarray, low: float, scale: float) -> np.ndarray:
    """Give the cell of each float64 value, by the same operations as the kernel; int64."""
    with np.errstate(over="ignore", invalid="ignore"):
        place = (values - low) * scale
    place = np.where(place > 0.0, place, 0.0)
    return np.minimum(place, float(GRID_CELLS - 1)).astype(np.int64)


def _over(edges: np.ndarray, low: float, high: float) -> Grid:
    with np.errstate(over="ignore", divide="ignore"):
        scale = float(np.float64(GRID_CELLS) / (np.float64(high) - np.float64(low)))
    if not np.isfinite(scale):  # a range narrower than 2**-1014: one cell for all
        low, scale = 0.0, 0.0
    before = np.searchsorted(cells_of(edges, low, scale), np.arange(GRID_CELLS), side="left")
    return Grid(low, scale, before)


def _steps(grid: Grid, edges: np.ndarray, counts: np.ndarray) -> float:
    """Estimate the steps of all reference values, as if each lay just above the edge before its bin."""
    start = grid.before[np.concatenate([[0], cells_of(edges, grid.low, grid.scale)])]
    return float((counts * (np.arange(len(counts)) - start)).sum())
