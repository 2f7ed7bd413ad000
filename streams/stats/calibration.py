"""Calibration: how often a score meant the positive class in the reference, and how surely that is known.

The rate of a cell, a score bin and a predicted class, is the share of positives among the reference's rows
in it. Nothing is assumed about its shape: a model may be over-confident, or not even monotone. Thin bins are
joined with their neighbours until they hold `ENOUGH` rows, which keeps every total as it was; so a window
with the reference's own mix gets back the reference's own confusion. Groups end where the predicted class
changes. Where a predicted class is thin in a group that knows both (other thresholds, overrides), the rate
of the group alone stands for both classes. No prior is added: half a positive in each cell (Jeffreys) would make
up several times the positives there are where one row in a thousand is one.

How surely a rate of n rows is known is drawn from Beta(m (n - 2), (1 - m) (n - 2)), of variance m (1 - m) / (n - 1),
as m is itself an estimate. Here m is the rate over a wider neighbourhood with `BOTH` rows of each class at least:
of its own 32 rows, a rate of 1 % mostly shows no positive, which looks certain and is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from driftline.streams.stats.shares import Array

ENOUGH: Final = 32
"""Reference rows a rate stands on: fewer would know less, more would blur the rates where the mix moves."""
BOTH: Final = 5
"""Reference rows of each class that the spread of a rate stands on."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Rates of the positive class, each shared by the cells of one group; made by `calibrate`."""

    positives: NDArray[np.int64]
    """Positives of each rate, (rates,)."""
    rows: NDArray[np.int64]
    """Reference rows of each rate, (rates,); at least 1."""
    likely: Array
    """Rate of the wider neighbourhood, (rates,), inside (0, 1): what the spread of a rate is taken from."""
    rate_of: NDArray[np.int64]
    """Which rate a cell has, (B, 2): score bin, predicted class."""
    seen: NDArray[np.bool_]
    """Score bins that the reference had rows in, (B,)."""

    @property
    def rates(self) -> Array:
        """Probability of the positive class in each cell, (B, 2), in [0, 1]."""
        return np.asarray((self.positives / self.rows)[self.rate_of], np.float64)

    def drawn(self, draws: int, rng: np.random.Generator) -> Array:
        """Draw the rates, float64 (draws, rates), around `likely` and as uncertain as they are."""
        weight = np.maximum(self.rows - 2, 1)
        size = (draws, len(weight))
        return np.asarray(rng.beta(self.likely * weight, (1 - self.likely) * weight, size), np.float64)


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
    split, bins = _split(total), total.sum(axis=1)
    starts = [*groups(bins[:split], enough), *(split + at for at in groups(bins[split:], enough))]
    group_true, group_rows = np.add.reduceat(true, starts), np.add.reduceat(total, starts)
    # Three rates a group could have: of either predicted class, and of both together, which comes last.
    three_true = np.column_stack([group_true, group_true.sum(axis=1)])
    three_rows = np.column_stack([group_rows, group_rows.sum(axis=1)])
    likely = np.column_stack([_likely(t, n) for t, n in zip(three_true.T, three_rows.T, strict=True)])
    alone = (group_rows < enough).any(axis=1, keepdims=True)
    which = 3 * np.arange(len(starts))[:, None] + np.where(alone, 2, [0, 1])
    kept, rate_of = np.unique(np.repeat(which, np.diff([*starts, len(total)]), axis=0), return_inverse=True)
    return Calibration(
        positives=three_true.reshape(-1)[kept],
        rows=three_rows.reshape(-1)[kept],
        likely=likely.reshape(-1)[kept],
        rate_of=rate_of.reshape(total.shape),
        seen=bins > 0,
    )


def bins_alone(counts: ArrayLike) -> NDArray[np.int64]:
    """Counts of score bins, (B,), as cells where no predicted class is told apart, (B, 2)."""
    bins = np.asarray(counts, np.int64)
    return np.column_stack([bins, np.zeros_like(bins)])


def groups(counts: NDArray[np.int64], enough: int) -> list[int]:
    """First bin of each group of neighbours that holds enough; what is left at the end joins the last group.

    Args:
        counts: what to hold enough of, (B,), or (B, kinds): enough of each kind.
        enough: how much.

    >>> groups(np.array([0, 3, 4, 9, 2]), 5)
    [0, 3]

    """
    starts: list[int] = []
    held = np.full(counts.shape[1:], enough)
    for at, count in enumerate(counts):
        if (held >= enough).all() and (not starts or count.any()):
            starts.append(at)
            held = np.zeros_like(held)
        held = held + count
    if (held < enough).any() and len(starts) > 1:
        starts.pop()
    return starts


def _likely(positives: NDArray[np.int64], rows: NDArray[np.int64]) -> Array:
    """Rate of the neighbourhood of each group, (groups,), with some of each class; kept from 0 and 1."""
    starts = groups(np.column_stack([positives, rows - positives]), BOTH)
    true, total = np.add.reduceat(positives, starts), np.add.reduceat(rows, starts)
    least = 0.5 / (total + 1)
    share = np.clip(true / np.maximum(total, 1), least, 1 - least)
    return np.repeat(share, np.diff([*starts, len(rows)]))


def _split(rows: NDArray[np.int64]) -> int:
    """Bin at which the predicted class changes, the one that parts the two classes best; both sides have rows.

    0 where one side would have none.
    """
    below = np.concatenate([[[0, 0]], rows.cumsum(axis=0)])
    at = int((below[:, 0] + below[-1, 1] - below[:, 1]).argmax())
    return at if 0 < below[at].sum() < rows.sum() else 0
