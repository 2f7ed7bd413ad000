"""Estimate for classes: how well a classifier of many classes does in a window without labels.

From the expected confusion (classes.py) where there are at most 20 classes; from the score of the top class
alone, calibrated as the chance that the prediction is right, where there are more. What holds for the
binary estimate holds here: it sees a changed mix of inputs, never a changed relation between input and truth.

Intervals of the confusion's figures come from 200 draws of each predicted class's column: its shares from a
Dirichlet law that weighs as many reference rows as the estimate rests on, its labels multinomial. The confusion
does not say on how many it rests; the window's mix over the bins of the top score does (`effective`; Kish 1965,
"Survey sampling", for weighted rows). That is an approximation; the interval of `top_accuracy` is none.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from driftline.streams.stats.calibration import Calibration, bins_alone, calibrate
from driftline.streams.stats.estimate import DRAWS, UNKNOWN, Estimated, estimated
from driftline.streams.stats.expected import ratio
from driftline.streams.stats.shares import Array

CLASS_FIGURES: Final = ("accuracy", "balanced_accuracy", "macro_precision", "macro_recall", "macro_f1")
PER_CLASS: Final = ("precision", "recall", "f1")


def class_figures(confusion: Array) -> dict[str, Array]:
    """Figures of a confusion or of many, (..., K, K): [true, predicted]; NaN where undefined.

    Macro figures are means over the classes that expect at least one label; of these, one that is never
    predicted has a precision of 0, as in scikit-learn.

    Returns:
        `CLASS_FIGURES`, each (...), and `PER_CLASS`, each (..., K).

    """
    true, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    recall, f1 = ratio(right, true), ratio(2 * right, true + predicted)
    precision = ratio(right, predicted)
    there = true >= 1
    macro = {
        name: ratio(np.where(there, np.nan_to_num(value), 0.0).sum(axis=-1), there.sum(axis=-1))
        for name, value in (("precision", precision), ("recall", recall), ("f1", f1))
    }
    return {
        "accuracy": ratio(right.sum(axis=-1), true.sum(axis=-1)),
        "balanced_accuracy": macro["recall"],
        **{f"macro_{name}": value for name, value in macro.items()},
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }


def effective(rows: ArrayLike, reference_rows: ArrayLike) -> float:
    """Reference rows that an estimate over a window's mix rests on: 1 / sum over bins of share^2 / rows.

    With the reference's own mix these are all its rows; bins without reference rows count as one row.

    Args:
        rows: rows of the window in each bin of the top score, (B,).
        reference_rows: rows of the reference in the same bins.

    >>> effective([5, 5], [100, 100]), effective([0, 9], [100, 50])
    (200.0, 50.0)

    """
    now, then = np.asarray(rows, np.float64), np.asarray(reference_rows, np.float64)
    total = now.sum()
    return 0.0 if total == 0 else float(1 / ((now / total) ** 2 / np.maximum(then, 1)).sum())


def estimate_classes(
    confusion: Array, reference_rows: float, rng: np.random.Generator, draws: int = DRAWS
) -> dict[str, Estimated]:
    """Estimate `CLASS_FIGURES` of a window from its expected confusion.

    Args:
        confusion: expected rows, float64 (K, K): [true, predicted]; columns sum to whole numbers of rows.
        reference_rows: reference rows that it rests on (`effective`).
        rng: draws shares and labels.
        draws: number of draws for standard errors.

    """
    counts = np.rint(confusion.sum(axis=0)).astype(np.int64)
    total = int(counts.sum())
    if total == 0:
        return dict.fromkeys(CLASS_FIGURES, UNKNOWN)
    drawn = np.zeros((draws, *confusion.shape))
    for j in np.flatnonzero(counts):
        column = np.maximum(confusion[:, j], 0.0)
        weight = max(reference_rows / total, 1 / counts[j]) * column
        # A class that is hardly there has a weight that underflows in the law of Dirichlet.
        there = weight > 1e-6  # noqa: PLR2004
        shares = rng.dirichlet(weight[there], draws)
        drawn[:, there, j] = rng.multinomial(counts[j], shares)
    values, spread = class_figures(confusion), class_figures(drawn)
    return {name: estimated(values[name].item(), spread[name]) for name in CLASS_FIGURES}


def calibrate_top(right: ArrayLike, rows: ArrayLike) -> Calibration | None:
    """Calibrate the score of the predicted class as the chance that it is the true one.

    Args:
        right: reference rows predicted right, by bin of the predicted class's score, (B,).
        rows: reference rows in the same bins.

    Returns:
        The calibration; None when the reference has no row.

    """
    return calibrate(bins_alone(right), bins_alone(rows))


def top_accuracy(
    calibration: Calibration, rows: ArrayLike, rng: np.random.Generator, draws: int = DRAWS
) -> Estimated:
    """Estimate accuracy from the predicted class's score alone, for any number of classes.

    Args:
        calibration: of `calibrate_top`.
        rows: rows of the window by bin of the predicted class's score, (B,).
        rng: draws rates and labels.
        draws: number of draws for the standard error.

    >>> calibration = calibrate_top([50, 90], [100, 100])
    >>> found = top_accuracy(calibration, [300, 100], np.random.default_rng(1))
    >>> found.value, 0.5 < found.low < 0.6 < found.high < 0.7
    (0.6, True)

    """
    total = np.asarray(rows, np.int64)
    some = total > 0
    drawn = rng.binomial(total[some], calibration.drawn(draws, rng)[:, calibration.rate_of[some, 0]])
    value = ratio((total * calibration.rates[:, 0]).sum(), total.sum()).item()
    return estimated(value, ratio(drawn.sum(axis=1), np.full(draws, total.sum())))
