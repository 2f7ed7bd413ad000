"""Losses of scores: log loss and its skill, Brier score, calibration error.

    log loss = - mean of ln(score given to the true class), the score clipped to [eps, 1 - eps] (float64 eps)
    skill    = 1 - log loss / H,  H = - sum_k q_k ln q_k, the loss of always saying the base rate q
    Brier    = mean of (score - label)^2; with more classes the mean of sum_k (score_k - [label = k])^2
    ECE      = sum_b |positives_b - sum of scores_b| / n, over 10 equal bins (0, .1], ..., (.9, 1]

Log loss in nats; the others unitless, skill at most 1. Functions that give terms take rows; those that give
figures take sums. Sources: Good 1952, "Rational decisions"; Brier 1950, "Verification of forecasts expressed
in terms of probability"; Naeini, Cooper and Hauskrecht 2015, "Obtaining well calibrated probabilities using
Bayesian binning" (ECE).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

from driftline.streams.stats.shares import Array, shares
from driftline.streams.stats.sums import Sum, floats

EPSILON: Final = float(np.finfo(np.float64).eps)
ECE_EDGES: Final[Array] = np.arange(1, 10) / 10
"""Inner edges of the calibration bins; a score on an edge is in the bin below it, as in every score bin."""


def log_loss_terms(scores: ArrayLike, labels: ArrayLike) -> Array:
    """Log loss of each row, in nats, at most 36.05.

    Args:
        scores: probability of the positive class, shape (n,).
        labels: 1 or True where the row is positive, shape (n,).

    >>> log_loss_terms([0.5, 1.0], [1, 0]).round(4).tolist()
    [0.6931, 36.0437]

    """
    given = np.clip(np.asarray(scores, np.float64), EPSILON, 1 - EPSILON)
    return np.where(np.asarray(labels, np.bool_), -np.log(given), -np.log1p(-given))


def log_loss_terms_of_classes(scores: ArrayLike, labels: ArrayLike) -> Array:
    """Log loss of each row, in nats.

    Args:
        scores: probability of each class, shape (n, K).
        labels: index of the true class, shape (n,).

    """
    given = _of_truth(np.asarray(scores, np.float64), np.asarray(labels, np.intp))
    return -np.log(np.clip(given, EPSILON, 1 - EPSILON))


def brier_terms(scores: ArrayLike, labels: ArrayLike) -> Array:
    """Squared error of each row's score, in [0, 1]. Arguments as of `log_loss_terms`."""
    return (np.asarray(scores, np.float64) - np.asarray(labels, np.float64)) ** 2


def brier_terms_of_classes(scores: ArrayLike, labels: ArrayLike) -> Array:
    """Squared error of each row's scores, in [0, 2]. Arguments as of `log_loss_terms_of_classes`."""
    given = np.asarray(scores, np.float64)
    truth = np.asarray(labels, np.intp)[:, None] == np.arange(given.shape[1])
    return np.asarray(((given - truth) ** 2).sum(axis=1), dtype=np.float64)


def mean_of(rows: Sum, total: Sum) -> Array:
    """Mean of terms from their count and sum, shape (...); NaN without rows."""
    n = floats(rows)
    return floats(total) / np.where(n > 0, n, np.nan)


def skill_of(total: Sum, labels: ArrayLike) -> Array:
    """Skill of the log loss against the base rate of the same rows; NaN when all rows are of one class.

    Args:
        total: sum of the log loss terms, shape (...).
        labels: rows of each true class, shape (..., K); (negatives, positives) when binary.

    >>> skill_of(4 * 0.25, [2, 2]).round(4).item()
    0.6393

    """
    rate = shares(labels)
    entropy = -xlogy(rate, rate).sum(axis=-1)
    mean = mean_of(np.asarray(labels).sum(axis=-1), total)
    return np.asarray(1 - mean / np.where(entropy > 0, entropy, np.nan), dtype=np.float64)


def calibration_bins(scores: ArrayLike) -> NDArray[np.intp]:
    """Calibration bin of each score, 0 to 9; a score of 0 is in the first.

    >>> calibration_bins([0.0, 0.1, 0.11, 1.0]).tolist()
    [0, 0, 1, 9]

    """
    return np.searchsorted(ECE_EDGES, np.asarray(scores, np.float64), side="left")


def calibration_error_of(rows: ArrayLike, positives: ArrayLike, score_sums: Sum) -> Array:
    """Expected calibration error of bins along the last axis; NaN without rows.

    Args:
        rows: rows per calibration bin, shape (..., bins).
        positives: positive rows per bin; with more classes, rows whose top class is the true one.
        score_sums: sums of the scores per bin; with more classes, of the top class.

    Returns:
        ECE of shape (...), in [0, 1].

    >>> calibration_error_of([10, 10], [2, 9], [3.0, 9.0]).item()
    0.05

    """
    gaps = np.abs(floats(positives) - floats(score_sums)).sum(axis=-1)
    return mean_of(np.asarray(rows).sum(axis=-1), gaps)


def _of_truth(scores: Array, labels: NDArray[np.intp]) -> Array:
    return np.asarray(np.take_along_axis(scores, labels[:, None], axis=1)[:, 0], dtype=np.float64)
