"""Expected: figures of a binary classifier from the labels that its score bins expect, one set or many draws.

Counts need not be whole: an expected number of positives does as well as a counted one. Each figure is a ratio
of expectations, whose difference from the expectation of the ratio falls as 1/rows. NaN where a figure is
undefined. AUC counts a pair within a bin as one half (Bamber 1975, "The area above the ordinal dominance
graph"); log loss and Brier score take each row at the mean score of its bin.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from driftline.streams.stats.shares import Array

FIGURES: Final = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "auc", "log_loss", "brier")


def confusion_of_bins(positives: Array, rows: NDArray[np.int64]) -> Array:
    """Add up bins to a confusion, (..., 2, 2): [true, predicted].

    Args:
        positives: positives in each cell, (..., B, 2): score bin, predicted class.
        rows: rows of the cells, (B, 2).
    """
    true = positives.sum(axis=-2)
    return np.stack([rows.sum(axis=0) - true, true], axis=-2)


def figures_of_bins(positives: Array, rows: NDArray[np.int64], scores: Array | None) -> dict[str, Array]:
    """All `FIGURES` that can be told, each of shape (...).

    Args:
        positives: positives in each cell, (..., B, 2): score bin in ascending order, predicted class.
        rows: rows of the cells, (B, 2).
        scores: mean score of each bin, (B,), read where the bin has rows; None, or a value outside [0, 1],
            for scores that are no probabilities: those have no log loss and no Brier score.

    """
    totals = rows.sum(axis=1)
    bins = positives.sum(axis=-1)
    found = figures_of_confusion(confusion_of_bins(positives, rows))
    found["auc"] = auc_of_bins(bins, totals)
    known = totals > 0
    if scores is not None and known.any() and ((scores[known] >= 0) & (scores[known] <= 1)).all():
        s, p, n = scores[known], bins[..., known], totals[known]
        tiny = np.finfo(np.float64).eps
        log = np.log(np.clip([1 - s, s], tiny, 1 - tiny))
        found["log_loss"] = -(p @ log[1] + (n - p) @ log[0]) / n.sum()
        found["brier"] = (p @ (1 - s) ** 2 + (n - p) @ s**2) / n.sum()
    return found


def figures_of_confusion(confusion: Array) -> dict[str, Array]:
    """Accuracy, balanced accuracy, precision, recall and F1 of the positive class, each of shape (...).

    Args:
        confusion: counts, (..., 2, 2): [true, predicted].

    >>> {name: value.item() for name, value in figures_of_confusion(np.array([[6, 2], [0, 2]])).items()}
    {'accuracy': 0.8, 'balanced_accuracy': 0.875, 'precision': 0.5, 'recall': 1.0, 'f1': 0.6666666666666666}

    """
    tn, fp = confusion[..., 0, 0], confusion[..., 0, 1]
    fn, tp = confusion[..., 1, 0], confusion[..., 1, 1]
    recall = ratio(tp, tp + fn)
    return {
        "accuracy": ratio(tp + tn, confusion.sum(axis=(-2, -1))),
        "balanced_accuracy": (recall + ratio(tn, tn + fp)) / 2,
        "precision": ratio(tp, tp + fp),
        "recall": recall,
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
    }


def auc_of_bins(positives: Array, rows: NDArray[np.int64]) -> Array:
    """Area under the ROC curve, (...); NaN with one class alone.

    Args:
        positives: positives of each bin in ascending order of score, (..., B).
        rows: rows of each bin, (B,).

    >>> auc_of_bins(np.array([0.0, 1.0, 3.0]), np.array([4, 2, 3])).item()
    0.975

    """
    negatives = rows - positives
    below = negatives.cumsum(axis=-1) - negatives / 2
    pairs = positives.sum(axis=-1) * negatives.sum(axis=-1)
    return ratio((positives * below).sum(axis=-1), pairs)


def ratio(part: Array, whole: Array) -> Array:
    """Divide, NaN where the whole is nothing."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0), np.float64)
