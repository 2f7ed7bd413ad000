"""Estimate: how well a classifier does in a window that has no labels yet, as value and 95 % interval.

The window's scores are counted over all its predictions; the reference's labels say how often a prediction with such
a score was right. This sees a changed mix of inputs (covariate shift), never a changed relation between input
and truth (concept drift): an estimate that stays high does not say that the model still holds, only that the
mix gives no reason to doubt.

The interval is for what the labels will say once they are there: 200 times, rates are drawn as uncertainly as
the reference knows them and labels as binomials of them; value +- 1.96 standard deviations of these draws,
cut to the range of the figure. Rows are taken as independent: days that move the inputs do no harm, but where the
truth of whole days differs, in the window or in the reference, it is too narrow. The idea, without intervals: Bialek
et al. 2024, "Estimating model performance under covariate shift without labels" (confidence-based performance
estimation).

`estimate_binary.py` is for two classes, `estimate_classes.py` for more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from driftline.streams.stats.shares import Array

DRAWS: Final = 200
SEED: Final = 20130101
"""Of the draws; the same counts give the same interval."""
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
NONE_IN_SAMPLE: Final = (
    "There is no estimate from scores of rows that the model learned from: they look surer than new rows are."
)
NONE_WITHOUT_TRUTH: Final = "There is no estimate without reference rows that have both a score and a label."


class Estimated(NamedTuple):
    """A figure, its standard error and its 95 % interval; None where it cannot be known."""

    metric: str
    value: float | None
    error: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a window without labels is expected to show."""

    rows: int
    """Predictions that it stands on: with a finite score and a predicted class."""
    unseen: float | None
    """Share of them whose score lies where the reference had no row: their rates are their neighbours'."""
    figures: tuple[Estimated, ...]

    def of(self, metric: str) -> Estimated:
        """Give the figure of a metric; without a value where there is none of that name."""
        return next((figure for figure in self.figures if figure.metric == metric), Estimated(metric, None))


def estimated(metric: str, value: float, draws: Array, least: float = 0.0, highest: float = 1.0) -> Estimated:
    """Give a figure with the interval that its draws, (draws,), tell, cut to [least, highest].

    Without an interval where the figure is undefined in some draw.

    >>> found = estimated("auc", 0.9, np.array([0.85, 0.95]))
    >>> [round(x, 3) for x in found[1:]]
    [0.9, 0.071, 0.761, 1.0]

    """
    if not np.isfinite(value):
        return Estimated(metric, None)
    if len(draws) < 2 or not np.isfinite(draws).all():  # noqa: PLR2004 - one draw has no spread
        return Estimated(metric, value)
    error = float(draws.std(ddof=1))
    return Estimated(metric, value, error, max(value - Z * error, least), min(value + Z * error, highest))
