"""Classification figures of a confusion matrix: what the counts of true and predicted classes say.

    recall_k    = C_kk / t_k             t_k: rows of true class k (a row's sum)
    precision_k = C_kk / p_k             p_k: rows predicted as k (a column's sum)
    F1_k        = 2 C_kk / (t_k + p_k)
    MCC         = (c s - sum_k t_k p_k) / sqrt((s^2 - sum_k p_k^2) (s^2 - sum_k t_k^2))

with c = trace and s = all rows. Macro figures are means over the classes that have labels; precision of a
class that was never predicted is unknown and left out of its mean. All unitless, in [0, 1], MCC in [-1, 1].
Sources: van Rijsbergen 1979, "Information Retrieval" (F1); Gorodkin 2004, "Comparing two K-category
assignments by a K-category correlation coefficient" (MCC). Standard errors: the delta method on multinomial
counts; every figure here has degree 0 in the counts, so its variance is sum_ij C_ij (d figure / d C_ij)^2.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.streams.stats.shares import Array, defined

_ROUNDING: Final = 1e-13
"""Share of rows^2 below which a spread is what rounding left of none; a single other row of 10^12 has more."""


class ClassFigures(NamedTuple):
    """Figures of one class against all others."""

    labels: int
    """Rows whose true class it is."""
    predicted: int
    """Rows predicted as it."""
    hits: int
    """Rows that are both."""
    precision: float | None
    recall: float | None
    f1: float | None


class Classification(NamedTuple):
    """Figures of a confusion matrix; None where one is undefined. Precision, recall and F1 are macro."""

    rows: int
    accuracy: float | None
    balanced_accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    mcc: float | None
    classes: tuple[ClassFigures, ...]


class Binary(NamedTuple):
    """Counts of a binary confusion, seen from the positive class, and the class's figures."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    precision: float | None
    recall: float | None
    f1: float | None
    specificity: float | None


def classification(confusion: ArrayLike) -> Classification:
    """Every figure of one confusion matrix.

    Args:
        confusion: counts, shape (K, K); rows are true classes, columns predicted ones.

    >>> found = classification([[3, 1], [0, 4]])
    >>> found.accuracy, found.balanced_accuracy, found.classes[0].precision
    (0.875, 0.875, 1.0)
    >>> classification([[5, 0], [0, 0]]).mcc is None
    True

    """
    counts = np.asarray(confusion, np.int64)
    each = class_figures_of(counts)
    return Classification(
        int(counts.sum()),
        defined(accuracy_of(counts).item()),
        defined(macro_of(each.recall, counts).item()),
        defined(macro_of(each.precision, counts).item()),
        defined(macro_of(each.recall, counts).item()),
        defined(macro_of(each.f1, counts).item()),
        defined(mcc_of(counts).item()),
        tuple(
            ClassFigures(labels, predicted, hits, *(defined(figure) for figure in figures))
            for labels, predicted, hits, *figures in zip(
                counts.sum(axis=1).tolist(),
                counts.sum(axis=0).tolist(),
                counts.diagonal().tolist(),
                *(figures.tolist() for figures in each),
                strict=True,
            )
        ),
    )


def binary(confusion: ArrayLike, positive: int) -> Binary:
    """Counts and figures of the class `positive`, 0 or 1, of a binary confusion, shape (2, 2).

    >>> binary([[90, 10], [2, 8]], positive=1)[:4]
    (8, 10, 2, 90)

    """
    counts = np.asarray(confusion, np.int64)
    each, other = class_figures_of(counts), 1 - positive
    precision, recall, f1 = (defined(float(figures[positive])) for figures in each)
    return Binary(
        int(counts[positive, positive]),
        int(counts[other, positive]),
        int(counts[positive, other]),
        int(counts[other, other]),
        precision,
        recall,
        f1,
        defined(float(each.recall[other])),
    )


class PerClass(NamedTuple):
    """Figures per class, each of shape (..., K); NaN where undefined."""

    precision: Array
    recall: Array
    f1: Array


def class_figures_of(confusion: ArrayLike) -> PerClass:
    """Precision, recall and F1 of every class of matrices of shape (..., K, K)."""
    counts = np.asarray(confusion, np.float64)
    hits, labels, predicted = _margins(counts)
    return PerClass(
        _over(hits, predicted),
        _over(hits, labels),
        _over(2 * hits, labels + predicted),
    )


def accuracy_of(confusion: ArrayLike) -> Array:
    """Share of rows on the diagonal, of matrices of shape (..., K, K); NaN without rows."""
    counts = np.asarray(confusion, np.float64)
    return _over(np.trace(counts, axis1=-2, axis2=-1), counts.sum(axis=(-2, -1)))


def balanced_accuracy_of(confusion: ArrayLike) -> Array:
    """Mean recall over the classes with labels, of matrices of shape (..., K, K); NaN without rows."""
    return macro_of(class_figures_of(confusion).recall, confusion)


def macro_f1_of(confusion: ArrayLike) -> Array:
    """Mean F1 over the classes with labels, of matrices of shape (..., K, K); NaN without rows."""
    return macro_of(class_figures_of(confusion).f1, confusion)


def macro_of(figures: Array, confusion: ArrayLike) -> Array:
    """Mean of a figure per class, (..., K), over the classes with labels for which it is defined."""
    known = (np.asarray(confusion).sum(axis=-1) > 0) & np.isfinite(figures)
    return _over(np.where(known, figures, 0.0).sum(axis=-1), known.sum(axis=-1))


def mcc_of(confusion: ArrayLike) -> Array:
    """Matthews correlation of matrices of shape (..., K, K); NaN when only one class is true or predicted."""
    counts = np.asarray(confusion, np.float64)
    hits, labels, predicted = _margins(counts)
    rows = counts.sum(axis=(-2, -1))
    # Sum of t_k (s - t_k) is s^2 - sum t_k^2 without its cancellation, and exactly 0 for a single class.
    true_spread = (labels * (rows[..., None] - labels)).sum(axis=-1)
    predicted_spread = (predicted * (rows[..., None] - predicted)).sum(axis=-1)
    covered = (hits * rows[..., None] - labels * predicted).sum(axis=-1)
    # Expected counts are no whole numbers: of a single class a rest of their rounding is left, of either sign.
    rest = _ROUNDING * rows**2
    spreads = [np.where(spread > rest, spread, 0.0) for spread in (true_spread, predicted_spread)]
    return _over(covered, np.sqrt(spreads[0]) * np.sqrt(spreads[1]))


def f1_errors(confusion: ArrayLike) -> list[float | None]:
    """Standard error of each class's F1 between independent rows; None where F1 is undefined.

    >>> [round(error, 3) for error in f1_errors([[30, 10], [10, 50]])]
    [0.054, 0.037]

    """
    counts = np.asarray(confusion, np.float64)
    hits, labels, predicted = _margins(counts)
    f1, total = class_figures_of(counts).f1, labels + predicted
    # A hit moves 2 C_kk by 2 and t_k + p_k by 2; a miss or a false alarm moves the second alone, by 1.
    squares = hits * (2 - 2 * f1) ** 2 + (total - 2 * hits) * f1**2
    return [defined(error) for error in _over(np.sqrt(squares), total).tolist()]


def macro_f1_error(confusion: ArrayLike) -> float | None:
    """Standard error of macro F1 between independent rows; None without rows."""
    counts = np.asarray(confusion, np.float64)
    _, labels, predicted = _margins(counts)
    known = labels > 0
    total = np.where(known, labels + predicted, 1.0)
    hit = np.where(known, 2 / total, 0.0)
    fall = np.where(known, class_figures_of(counts).f1 / total, 0.0)
    slope = (np.diag(hit) - fall[:, None] - fall) / max(int(known.sum()), 1)
    return _error(counts, slope)


def balanced_accuracy_error(confusion: ArrayLike) -> float | None:
    """Standard error of balanced accuracy between independent rows; None without rows."""
    counts = np.asarray(confusion, np.float64)
    labels = counts.sum(axis=1)
    recall = class_figures_of(counts).recall
    known = labels > 0
    variance = np.where(known, recall * (1 - recall) / np.where(known, labels, 1.0), 0.0).sum()
    return defined(float(_over(np.sqrt(variance), np.asarray(known.sum()))))


def mcc_error(confusion: ArrayLike) -> float | None:
    """Standard error of MCC between independent rows; None where MCC is undefined.

    >>> round(mcc_error([[30, 10], [10, 50]]), 3)
    0.083

    """
    counts = np.asarray(confusion, np.float64)
    mcc = mcc_of(counts).item()
    if defined(mcc) is None:
        return None
    rows = counts.sum()
    # In shares, so that nothing grows with the count to the fourth power.
    part = counts / rows
    hits, labels, predicted = _margins(part)
    true_spread, predicted_spread = (labels * (1 - labels)).sum(), (predicted * (1 - predicted)).sum()
    covered = np.eye(len(part)) + hits.sum() - predicted[:, None] - labels
    slope = covered / np.sqrt(true_spread * predicted_spread) - mcc * (
        (1 - predicted) / predicted_spread + (1 - labels)[:, None] / true_spread
    )
    error = _error(part, slope)
    return None if error is None else error / float(np.sqrt(rows))


def _margins(counts: Array) -> tuple[Array, Array, Array]:
    """Diagonal, sums of rows and sums of columns."""
    return np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1), counts.sum(axis=-2)


def _error(counts: Array, slope: Array) -> float | None:
    return float(np.sqrt((counts * slope**2).sum())) if counts.sum() else None


def _over(part: Array, whole: Array) -> Array:
    """Divide; NaN where the whole is 0."""
    return np.asarray(part / np.where(whole > 0, whole, np.nan), dtype=np.float64)
