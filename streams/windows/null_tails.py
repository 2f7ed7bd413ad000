"""Null tails: how much the reference's own windows differ from it, at each resolution, column by column."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np

from driftline.schemas.profile_column import TAIL_MAX, NullTail, ProfileColumn
from driftline.streams.stats.nulls import BLOCK_DAYS, WINDOW_DAYS, moving_blocks, own_windows, rank_of
from driftline.streams.windows.resolution import Resolution

_KEPT_SHARE: Final = 0.1
_KEPT_LEAST: Final = 128


def day_tails(
    days: list[np.ndarray], minimum_rows: int, rng: np.random.Generator
) -> list[dict[str, NullTail]]:
    """Give the tails of 1d, 7d and 1M for every column.

    Args:
        days: per column int64 (days, PSI bins), counts of the reference's days in order.
        minimum_rows: rows of a column below which a window is left out, as it would not be judged.
        rng: source of the draws of blocks of days.

    Returns:
        Per column, resolution -> tail. 7d and 1M are missing where the reference is shorter than a block.
    """
    found: list[dict[str, NullTail]] = [{"1d": tail_of(own_windows(counts, minimum_rows))} for counts in days]
    if not days or len(days[0]) < BLOCK_DAYS:
        return found
    # One matrix, so that every column sees the same draws: columns of one day belong together.
    width = max(counts.shape[1] for counts in days)
    padded = np.stack([np.pad(counts, ((0, 0), (0, width - counts.shape[1]))) for counts in days], axis=1)
    for name, length in WINDOW_DAYS.items():
        figures = moving_blocks(padded, length, rng)
        for tails, column in zip(found, figures.T, strict=True):
            tails[name] = tail_of(column)
    return found


def short_tails(
    bins: np.ndarray, psi_bins: int, times_ms: np.ndarray, names: tuple[str, ...], minimum_rows: int
) -> dict[str, NullTail]:
    """Give the tails of resolutions narrower than a day for one column.

    Args:
        bins: int64 (rows,), PSI bin of each row, -1 where it has no value.
        psi_bins: how many there are.
        times_ms: int64 (rows,), event times.
        names: resolutions.
        minimum_rows: rows of a column below which a window is left out.
    """
    tails = {}
    for name in names:
        counts = window_counts(bins, psi_bins, Resolution.parse(name).starts(times_ms))
        tails[name] = tail_of(own_windows(_with_rest(counts, minimum_rows), minimum_rows)[:-1])
    return tails


def window_counts(bins: np.ndarray, psi_bins: int, starts: np.ndarray) -> np.ndarray:
    """Count rows per window and PSI bin, int64 (windows, psi_bins), windows in order of their starts (rows,)."""
    windows, window_of = np.unique(starts, return_inverse=True)
    valid = bins >= 0
    flat = np.bincount(window_of[valid] * psi_bins + bins[valid], minlength=len(windows) * psi_bins)
    return flat.reshape(len(windows), psi_bins)


def tail_of(figures: np.ndarray) -> NullTail:
    """Keep the largest tenth of the figures, at least 128 and at most 1,024; NaN ones are no windows."""
    known = _descending(figures)
    kept = min(max(math.ceil(_KEPT_SHARE * len(known)) + 1, _KEPT_LEAST), TAIL_MAX)
    return NullTail(len(known), known[:kept])


def cut_tails(column: ProfileColumn, level: float) -> ProfileColumn:
    """Keep of each tail only what thresholds of at most this level read; those stay the same."""
    return replace(column, null_tails={name: _cut(tail, level) for name, tail in column.null_tails.items()})


def _cut(tail: NullTail, level: float) -> NullTail:
    return NullTail(tail.windows, _descending(tail.largest)[: rank_of(level, tail.windows)].copy())


def _descending(figures: np.ndarray) -> np.ndarray:
    """The figures that are known, greatest first."""
    return np.sort(figures[~np.isnan(figures)])[::-1]


def _with_rest(counts: np.ndarray, minimum_rows: int) -> np.ndarray:
    """Join the windows that are too small to be judged into one, the last: they are part of the reference.

    A year has 100,000 windows of 5 minutes, and most of them may be too small.
    """
    large = counts.sum(axis=1) >= minimum_rows
    return np.concatenate([counts[large], counts[~large].sum(axis=0, keepdims=True)])
