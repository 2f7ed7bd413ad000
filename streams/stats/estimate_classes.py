"""Estimate of many classes: from the expected confusion of a window and its predictions by top score.

The expected confusion is held against the reference's own: dividing calibrated rates by their sum biases them, so each
cell is multiplied by the rows that the reference counted for each row it expected, and each column is brought
back to the rows predicted. With more than 20 classes only accuracy is estimated, from the score of the predicted
class calibrated as the chance that the prediction is right. What an estimate sees: estimate.py.

For intervals the right predictions of each class are drawn bin by bin of their score, as for two classes; what
is left of a column is parted among the other classes by Dirichlet weights that count the reference's wrong rows.

Rates of one class's score, and of a prediction's own score, are means over rows that the other scores tell apart, and a
shift moves these means: no number of rows shows by how much. So the right rows of each class are also drawn further
off, by shares, `MISSED`, of the distance to what a coarser estimate says of the class:

    others    expected confusion      against the score of the predicted class alone
    moved     expected confusion      against the class alone, as often right as in the reference
    own       past 20, score alone    against the class alone

Of two classes one score tells all, so the first two are taken times 1 - 2 / K. Where the mix is that of the reference
all of these agree, and nothing is added.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from driftline.streams.stats.class_calibration import ClassCalibration, ClassCounts, confusion_of
from driftline.streams.stats.confusion import (
    accuracy_of,
    balanced_accuracy_of,
    class_figures_of,
    macro_of,
    mcc_of,
)
from driftline.streams.stats.estimate import DRAWS, SEED, Estimate, estimated
from driftline.streams.stats.shares import Array

CLASS_FIGURES: Final = ("accuracy", "balanced_accuracy", "mcc", "precision", "recall", "f1")
"""As measured ones: precision, recall and F1 are macro."""
MISSED: Final = {"others": 0.4, "moved": 0.07, "own": 0.4}
"""Standard deviation of what an estimate does not see, in distances to coarser ones; by simulation."""


def estimate_classes(
    calibration: ClassCalibration, counts: ClassCounts, seed: int = SEED, draws: int = DRAWS
) -> Estimate:
    """Estimate the performance in a window.

    Args:
        calibration: the reference's.
        counts: of `fold`, over all predictions of the window.
        seed: of the draws of rates and labels.
        draws: number of draws for standard errors.

    Returns:
        All `CLASS_FIGURES`; accuracy alone with more than 20 classes.

    """
    rng = np.random.default_rng(seed)
    rows = int(counts.top.sum())
    right, drawn = _right(calibration, counts.top, draws, rng)
    as_often = _as_often(calibration, counts.top)
    if not calibration.tables:
        drawn += _missed(MISSED["own"] * (right - as_often), draws, rng)
        total = rows or np.nan
        figure = estimated("accuracy", float(right.sum() / total), drawn.sum(axis=1) / total)
        return Estimate(rows, _unseen(calibration, counts.top), (figure,))
    confusion = expected_confusion(calibration, counts)
    hits = confusion.diagonal()
    moved = drawn - right
    rest = 1 - 2 / calibration.classes
    moved += _missed(rest * MISSED["others"] * (hits - right), draws, rng)
    moved += _missed(rest * MISSED["moved"] * (hits - as_often), draws, rng)
    spread = _drawn(calibration, confusion, moved, counts.top.sum(axis=1), rng)
    values, spreads = _figures(confusion), _figures(spread)
    return Estimate(
        rows,
        _unseen(calibration, counts.top),
        tuple(
            estimated(name, values[name].item(), spreads[name], -1.0 if name == "mcc" else 0.0)
            for name in CLASS_FIGURES
        ),
    )


def expected_confusion(calibration: ClassCalibration, counts: ClassCounts) -> Array:
    """Give the rows that a window expects, float64 (K, K): [true, predicted]; columns sum to its predictions."""
    anchored = confusion_of(counts.sums) * calibration.anchor
    columns = anchored.sum(axis=0)
    scale = counts.top.sum(axis=1) / np.where(columns > 0, columns, 1.0)
    return np.asarray(anchored * scale, np.float64)


def _right(
    calibration: ClassCalibration, top: NDArray[np.int64], draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Right rows of each predicted class by its score alone, (K,), and drawn ones, (draws, K)."""
    right, drawn = np.zeros(len(top)), np.zeros((draws, len(top)))
    for j, (rows, rates) in enumerate(zip(top, calibration.top, strict=True)):
        some = rows > 0
        right[j] = rows @ rates.rates[:, 0]
        chances = rates.drawn(draws, rng)[:, rates.rate_of[some, 0]]
        drawn[:, j] = rng.binomial(rows[some], chances).sum(axis=1)
    return right, drawn


def _as_often(calibration: ClassCalibration, top: NDArray[np.int64]) -> Array:
    """Right rows of each predicted class, (K,), were it right as often as in the reference."""
    share = [of.positives.sum() / of.rows.sum() for of in calibration.top]
    return np.asarray(top.sum(axis=1) * np.array(share), np.float64)


def _missed(spread: Array, draws: int, rng: np.random.Generator) -> Array:
    """Draw what is missed of each class, (draws, K), with a spread of (K,).

    One shift moves all classes, each its own way: half of the variance has a common sign.
    """
    own, common = rng.standard_normal((draws, len(spread))), rng.standard_normal((draws, 1))
    return np.asarray(spread * (own + common) / np.sqrt(2), np.float64)


def _drawn(
    calibration: ClassCalibration,
    confusion: Array,
    moved: Array,
    rows: NDArray[np.int64],
    rng: np.random.Generator,
) -> Array:
    """Draw confusions, (draws, K, K): the diagonal moved by (draws, K), the rest of each column parted anew."""
    drawn = np.zeros((len(moved), *confusion.shape))
    for j in np.flatnonzero(rows):
        hits = np.clip(np.rint(confusion[j, j] + moved[:, j]), 0, rows[j]).astype(np.int64)
        others = np.delete(confusion[:, j], j)
        weight = others * max(float(calibration.wrong[j]), 1.0) / max(others.sum(), 1e-300)
        # A class that is hardly there has a weight that underflows in the law of Dirichlet.
        there = np.flatnonzero(weight > 1e-6)  # noqa: PLR2004
        drawn[:, j, j] = hits
        if len(there):
            parted = rng.multinomial(rows[j] - hits, rng.dirichlet(weight[there], len(moved)))
            drawn[:, np.delete(np.arange(len(confusion)), j)[there], j] = parted
    return drawn


def _unseen(calibration: ClassCalibration, top: NDArray[np.int64]) -> float | None:
    total = top.sum()
    if not total:
        return None
    unseen = sum(int(rows[~rates.seen].sum()) for rows, rates in zip(top, calibration.top, strict=True))
    return unseen / int(total)


def _figures(confusion: Array) -> dict[str, Array]:
    each = class_figures_of(confusion)
    return {
        "accuracy": accuracy_of(confusion),
        "balanced_accuracy": balanced_accuracy_of(confusion),
        "mcc": mcc_of(confusion),
        "precision": macro_of(each.precision, confusion),
        "recall": macro_of(each.recall, confusion),
        "f1": macro_of(each.f1, confusion),
    }
