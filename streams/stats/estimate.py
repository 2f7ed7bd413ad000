"""Estimate: how well a binary classifier does in a window that has no labels yet.

    expected positives of a cell = rows of the window in it * rate of the cell in the reference

A cell is a score bin and a predicted class; all figures follow from the expected positives. This sees a
changed mix of inputs (covariate shift), never a changed relation between input and truth (concept drift): an
estimate that stays high does not say that the model still holds, only that the mix gives no reason to doubt.

The interval is for what the labels will say once they are there: 200 times, rates are drawn as uncertainly
as the reference knows them and labels as binomials of them; value +- 1.96 standard deviations of these
draws, cut to the range of the figure. Rows are taken as independent: where whole days differ, in the window
or in the reference, it is too narrow. The idea, without intervals: Bialek et al. 2024, "Estimating model
performance under covariate shift without labels" (confidence-based performance estimation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from driftline.streams.stats.calibration import Calibration
from driftline.streams.stats.expected import FIGURES, confusion_of_bins, figures_of_bins, ratio
from driftline.streams.stats.shares import Array, defined

DRAWS: Final = 200
Z: Final = 1.96
"""Standard deviations on either side that hold 95 % of a normal law."""

SEES: Final = (
    "Estimated from scores: it sees a changed mix of inputs, "
    "never a changed relation between inputs and truth."
)
NONE_FOR_REGRESSION: Final = (
    "There is no estimate for a regression: a predicted number does not say how far from the truth it may lie, "
    "as a class's score does."
)


class Estimated(NamedTuple):
    """A figure, its standard error and its 95 % interval; None where it cannot be known."""

    value: float | None
    error: float | None
    low: float | None
    high: float | None


UNKNOWN: Final = Estimated(None, None, None, None)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a window without labels is expected to show."""

    rows: int
    confusion: Array
    """Expected rows, float64 (2, 2): [true, predicted]; sums to `rows`."""
    figures: dict[str, Estimated]
    """By name, all of `FIGURES`."""
    unseen: float | None
    """Share of the window's rows in score bins where the reference had none: their rates are their neighbours'."""


def estimate(
    calibration: Calibration,
    rows: ArrayLike,
    scores: ArrayLike | None,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> Estimate:
    """Estimate the performance in a window.

    Args:
        calibration: the reference's, over B score bins.
        rows: rows of the window, int (B, 2): score bin in ascending order, predicted class.
        scores: mean score of the window's rows in each bin, (B,), NaN where it has none; None for scores
            that are no probabilities.
        rng: draws rates and labels.
        draws: number of draws for standard errors.

    Returns:
        Expected confusion and figures; a figure that is undefined, such as precision where nothing is
        predicted positive, is None, and has no interval where it is undefined in some draw.

    """
    total = np.asarray(rows, np.int64)
    means = None if scores is None else np.asarray(scores, np.float64)
    # Only cells with rows take part in the draws: most bins know one predicted class.
    cells = total > 0
    positives = total * calibration.rates
    drawn = np.zeros((draws, *total.shape))
    drawn[:, cells] = rng.binomial(total[cells], calibration.drawn(draws, rng)[:, calibration.rate_of[cells]])
    values, spread = figures_of_bins(positives, total, means), figures_of_bins(drawn, total, means)
    bins = total.sum(axis=1)
    return Estimate(
        rows=int(total.sum()),
        confusion=confusion_of_bins(positives, total),
        figures={
            name: estimated(values[name].item(), spread[name], _highest(name)) if name in values else UNKNOWN
            for name in FIGURES
        },
        unseen=defined(ratio(bins[~calibration.seen].sum(), bins.sum()).item()),
    )


def estimated(value: float, draws: NDArray[np.float64], highest: float = 1.0) -> Estimated:
    """Give a figure with the interval that its draws tell, cut to [0, highest].

    >>> [round(x, 3) for x in estimated(0.9, np.array([0.85, 0.95]))]
    [0.9, 0.071, 0.761, 1.0]

    """
    if not np.isfinite(value):
        return UNKNOWN
    if len(draws) < 2 or not np.isfinite(draws).all():  # noqa: PLR2004 - one draw has no spread
        return Estimated(value, None, None, None)
    error = float(draws.std(ddof=1))
    return Estimated(value, error, max(value - Z * error, 0.0), min(value + Z * error, highest))


def _highest(name: str) -> float:
    return np.inf if name == "log_loss" else 1.0
