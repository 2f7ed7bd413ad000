"""Null thresholds: how large a figure grows without drift, for independent rows and for this very stream.

iid null:    PSI / (1/n + 1/m) is close to chi-squared with B - 1 degrees of freedom, so its threshold is
             the quantile of that law times (1/n + 1/m); B counts pooled cells (pooling.py).
block null:  the figure over the reference's own windows. For windows of up to a day each is held against the
             rest of the reference. For wider ones, 1,000 draws of moving blocks of 5 days make a window, and
             1,000 more make a reference of the true length: the reference is one draw of the stream too, and
             leaving that out raises alarms by up to a half (docs/statistics.md).

Units are the figure's. Sources: Yurdakul and Naranjo 2020, "Statistical properties of the population
stability index"; Kuensch 1989, "The jackknife and the bootstrap for general stationary observations".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri

from driftline.streams.stats.psi import psi_of_shares
from driftline.streams.stats.shares import Array, shares

BLOCK_DAYS = 5
"""Days drawn together: long enough to hold weather and working weeks, short enough to draw many."""
DRAWS = 1_000
MINIMUM_WINDOWS = 20
"""Reference windows below which their spread says nothing about a quantile."""
DRAWS_AT_ONCE = 256
"""Draws held in memory together: 256 x 25 features x 200 cells are 10 MB."""

ShareDistance: TypeAlias = Callable[[Array, Array], Array]


WINDOW_DAYS: Final = {"7d": 7, "1M": 30}
"""Days in the windows that are wider than a day, by the name of their resolution."""


class Threshold(NamedTuple):
    """A threshold and the level that it really has."""

    value: float
    level: float


def iid_quantile(level: float, cells: ArrayLike) -> Array:
    """Quantile of chi-squared with cells - 1 degrees of freedom that `level` of windows exceed.

    Args:
        level: probability of exceeding it without drift, in (0, 1).
        cells: pooled cells, any shape; NaN where there are fewer than 2.

    """
    freedom = np.asarray(cells, dtype=np.float64) - 1
    return np.asarray(chdtri(np.where(freedom > 0, freedom, np.nan), level), dtype=np.float64)


def iid_null(level: float, cells: int, rows: int, reference_rows: int) -> float | None:
    """Threshold of PSI for independent rows, in nats; None with fewer than two cells or no rows.

    >>> round(iid_null(0.01, 10, 200, 20_000), 4)
    0.1094

    """
    if cells < 2 or rows <= 0 or reference_rows <= 0:  # noqa: PLR2004 - one cell cannot differ
        return None
    return float(iid_quantile(level, cells)) * (1 / rows + 1 / reference_rows)


def own_windows(
    windows: ArrayLike, minimum_rows: int = 200, distance: ShareDistance = psi_of_shares
) -> Array:
    """Figure of each reference window against the rest of the reference.

    Args:
        windows: counts, shape (windows, ..., cells).
        minimum_rows: rows below which a window is left out: a window as small would not be judged either.
        distance: of two arrays of shares, along the last axis.

    Returns:
        Figures, shape (windows, ...); NaN for windows left out.

    >>> own_windows([[5, 5], [8, 2], [0, 1]], minimum_rows=10).round(3).tolist()
    [0.223, 0.542, nan]

    """
    counts = np.asarray(windows, dtype=np.float64)
    figures = distance(shares(counts), shares(counts.sum(axis=0) - counts))
    return np.where(counts.sum(axis=-1) >= minimum_rows, figures, np.nan)


def moving_blocks(
    days: ArrayLike,
    window_days: int,
    rng: np.random.Generator,
    *,
    draws: int = DRAWS,
    block_days: int = BLOCK_DAYS,
    distance: ShareDistance = psi_of_shares,
) -> Array:
    """Figures of windows drawn from the reference in blocks of days, against references drawn likewise.

    Args:
        days: counts by day in the order of time, shape (days, ..., cells); at least `block_days` days.
        window_days: days in a window.
        rng: source of the draws.
        draws: windows drawn.
        block_days: days drawn together.
        distance: of two arrays of shares, along the last axis.

    Returns:
        Figures, shape (draws, ...); NaN where a draw holds no rows.

    Raises:
        ValueError: the reference is shorter than a block.

    """
    counts = np.asarray(days, dtype=np.float64)
    if len(counts) < block_days:
        message = f"{len(counts)} reference days cannot be drawn in blocks of {block_days}"
        raise ValueError(message)
    flat = counts.reshape(len(counts), -1)
    shape = (-1, *counts.shape[1:])
    windows = _weights(len(counts), window_days, draws, block_days, rng)
    references = _weights(len(counts), len(counts), draws, block_days, rng)
    figures = []
    for start in range(0, draws, DRAWS_AT_ONCE):
        some = slice(start, start + DRAWS_AT_ONCE)
        current = shares((windows[some] @ flat).reshape(shape))
        figures.append(distance(current, shares((references[some] @ flat).reshape(shape))))
    return np.concatenate(figures)


def threshold_of(figures: ArrayLike, level: float, windows: int | None = None) -> Threshold | None:
    """Value that a new figure of the same law exceeds with probability `level`, as nearly as they tell.

    The k-th largest of W figures is exceeded with probability k / (W + 1); with fewer figures than the level
    needs, the threshold is their maximum and the level reported 1 / (W + 1).

    Args:
        figures: figures of the reference's own windows, any order; NaN ones are left out.
        level: wanted probability.
        windows: how many there were, when `figures` are only the largest of them.

    Returns:
        The threshold and its level; None without a figure.

    >>> threshold_of([0.1, 0.3, 0.2], 0.01)
    Threshold(value=0.3, level=0.25)

    """
    values = np.asarray(figures, dtype=np.float64)
    values = np.sort(values[~np.isnan(values)])
    if len(values) == 0:
        return None
    count = len(values) if windows is None else windows
    rank = min(rank_of(level, count), len(values))
    return Threshold(float(values[-rank]), rank / (count + 1))


def rank_of(level: float, windows: int) -> int:
    """Which of the largest of so many figures is exceeded with probability `level`: 1 for their maximum.

    >>> rank_of(0.01, 1_000), rank_of(0.0004, 1_000)
    (10, 1)

    """
    return max(int(level * (windows + 1)), 1)


def known_level(level: float, window: str, days: int) -> float:
    """Level that can be told from so many reference days, at best.

    Hours of one day, and draws of the same blocks, are no independent windows: a reference of D days shows D
    windows of up to a day and D / 5 blocks for wider ones, and no level below 1 / (those + 1).

    Args:
        level: level by the number of windows or draws.
        window: name of the resolution.
        days: reference days with rows.

    >>> round(known_level(0.0004, "1M", 60), 4)
    0.0769

    """
    apart = days // BLOCK_DAYS if window in WINDOW_DAYS else days
    return max(level, 1 / (apart + 1))


def _weights(days: int, length: int, draws: int, block: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """How often each day is part of each draw, shape (draws, days): whole blocks, the last one cut."""
    starts = rng.integers(0, days - block + 1, size=(draws, -(-length // block)))
    chosen = (starts[..., None] + np.arange(block)).reshape(draws, -1)[:, :length]
    flat = (chosen + np.arange(draws)[:, None] * days).ravel()
    return np.bincount(flat, minlength=draws * days).reshape(draws, days).astype(np.float64)
