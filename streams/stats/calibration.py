"""Calibration: how often a score meant the positive class in the reference, and how surely that is known.

The rate of a cell, a score bin and a predicted class, is the share of positives among the reference's rows
in it. Nothing is assumed about its shape: a model may be over-confident, or not even monotone. Thin bins are
joined with their neighbours until they hold `ENOUGH` rows, which keeps every total as it was; so a window
with the reference's own mix gets back the reference's own confusion. Groups end where the predicted class
changes. Where a predicted class is thin in a group that knows both (other thresholds, overrides), the rate
of the group alone stands for both classes.

How surely a rate p of n rows is known: Beta(p (n - 2), (1 - p) (n - 2)), whose mean is p. Its variance,
p (1 - p) / (n - 1), has the expectation of the true one, pi (1 - pi) / n; a prior that adds rows instead
(Jeffreys adds half a positive to each cell) makes positives up where they are rare: at 0.1 % of them, several
times as many as there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from driftline.streams.stats.shares import Array

ENOUGH: Final = 32
"""Reference rows a rate stands on: a smaller number blurs less where the mix moves, and knows less."""

_SPENT: Final = 2  # rows that make the variance of a Beta over estimated rates unbiased


@dataclass(frozen=True, slots=True)
class Calibration:
    """Rates of the positive class, each shared by the cells of one group; made by `calibrate`."""

    positives: NDArray[np.int64]
    """Positives of each rate, (rates,)."""
    rows: NDArray[np.int64]
    """Reference rows of each rate, (rates,); at least 1."""
    rate_of: NDArray[np.int64]
    """Which rate a cell has, (B, 2): score bin, predicted class."""
    seen: NDArray[np.bool_]
    """Score bins that the reference had rows in, (B,)."""

    @property
    def rates(self) -> Array:
        """Probability of the positive class in each cell, (B, 2), in [0, 1]."""
        return np.asarray((self.positives / self.rows)[self.rate_of], np.float64)

    def drawn(self, draws: int, rng: np.random.Generator) -> Array:
        """Draw the rates as uncertain as they are, float64 (draws, rates); the mean of each is its rate."""
        share = self.positives / self.rows
        weight = np.maximum(self.rows - _SPENT, 1)
        open_ = (self.positives > 0) & (self.positives < self.rows)
        found = np.broadcast_to(share, (draws, len(share))).copy()
        found[:, open_] = rng.beta(
            (share * weight)[open_], ((1 - share) * weight)[open_], (draws, int(open_.sum()))
        )
        return found


def calibrate(positives: ArrayLike, rows: ArrayLike, enough: int = ENOUGH) -> Calibration | None:
    """Calibrate a binary score on a reference with labels.

    Args:
        positives: rows of the positive class, shape (B, 2): score bin in ascending order, predicted class.
        rows: rows of the same cells.
        enough: rows a rate stands on.

    Returns:
        The calibration; None when the reference has no row.

    >>> calibrate([[0, 0], [2, 0], [0, 9]], [[1, 0], [9, 0], [0, 10]], enough=5).rates[:, 0].tolist()
    [0.2, 0.2, 0.9]

    """
    true, total = np.asarray(positives, np.int64), np.asarray(rows, np.int64)
    if total.sum() == 0:
        return None
    split = _split(total)
    bins = total.sum(axis=1)
    starts = [*groups(bins[:split], enough), *(split + at for at in groups(bins[split:], enough))]
    group_true, group_rows = np.add.reduceat(true, starts), np.add.reduceat(total, starts)
    alone = (group_rows < enough).any(axis=1, keepdims=True)
    used_true = np.where(alone, group_true.sum(axis=1, keepdims=True), group_true)
    used_rows = np.where(alone, group_rows.sum(axis=1, keepdims=True), group_rows)
    # A group known by its bins alone has one rate, the first of its two; the second is not pointed at.
    pair = 2 * np.arange(len(starts))[:, None] + np.where(alone, 0, [0, 1])
    sizes = np.diff([*starts, len(total)])
    kept, rate_of = np.unique(np.repeat(pair, sizes, axis=0), return_inverse=True)
    return Calibration(
        used_true.reshape(-1)[kept], used_rows.reshape(-1)[kept], rate_of.reshape(total.shape), bins > 0
    )


def groups(rows: NDArray[np.int64], enough: int) -> list[int]:
    """First bin of each group of neighbours with at least `enough` rows; what is left joins the last one.

    >>> groups(np.array([0, 3, 4, 9, 2]), 5)
    [0, 3]

    """
    starts: list[int] = []
    held = enough
    for at, count in enumerate(rows.tolist()):
        if held >= enough and (count or not starts):
            starts.append(at)
            held = 0
        held += count
    if held < enough and len(starts) > 1:
        starts.pop()
    return starts


def _split(rows: NDArray[np.int64]) -> int:
    """Bin at which the predicted class changes, the one that parts the two classes best; both sides have rows.

    0 where one side would have none.
    """
    below = np.concatenate([[[0, 0]], rows.cumsum(axis=0)])
    at = int((below[:, 0] + below[-1, 1] - below[:, 1]).argmax())
    return at if 0 < below[at].sum() < rows.sum() else 0
