"""Classes: calibrated probabilities of many classes, row by row, and the exact sum of what they expect.

Each class's score is calibrated against the rest on its own bins (Zadrozny and Elkan 2002, "Transforming
classifier scores into accurate multiclass probability estimates"), and the K rates of a row are divided by their
sum. A row predicted as class j adds its probabilities to column j of a K x K sum: the confusion that is
expected, [true, predicted]. Scores of the other classes than the predicted one are seen as they fall together
in each row, which no table of bins could keep.

Sums are exact. A probability is rounded once to a multiple of 2**-40, and what rounding took from a row, or gave to it,
goes to its most probable class: a row adds exactly 1, and no order of rows, no cut into batches and no later
subtraction changes the sum. It is kept as lo + hi * 2**32, like the sums of the counters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from driftline.streams.stats.calibration import bins_alone, calibrate
from driftline.streams.stats.shares import Array

MOST_CLASSES: Final = 20
"""With more classes only the accuracy of the top class is estimated: K x K sums grow past their use."""
LO: Final = 0
HI: Final = 1

_BITS: Final = 40
_LO_BITS: Final = 32
_BATCH: Final = 1 << 16  # rows whose table of K probabilities fits a cache


@dataclass(frozen=True, slots=True)
class ClassCalibration:
    """Rates of K classes over the bins of their own scores; made by `calibrate_classes`."""

    edges: tuple[Array, ...]
    """Of each class, ascending, (bins - 1,)."""
    rates: tuple[Array, ...]
    """Of each class, (bins,): its probability where its score lies in a bin."""
    base: Array
    """Share of each class in the reference, (K,): taken for a row in whose bins no class was ever true."""

    @property
    def classes(self) -> int:
        """Number of classes, K."""
        return len(self.base)


def calibrate_classes(
    edges: list[Array], positives: list[NDArray[np.int64]], rows: list[NDArray[np.int64]]
) -> ClassCalibration | None:
    """Calibrate each class against the rest on a reference with labels.

    Args:
        edges: of each class, ascending, (bins - 1,); bin b holds the scores in (edges[b - 1], edges[b]].
        positives: of each class, reference rows of it in each bin of its score, (bins,).
        rows: of each class, reference rows in each bin of its score, (bins,).

    Returns:
        The calibration; None when the reference has no row.

    """
    rates = []
    for true, total in zip(positives, rows, strict=True):
        # The predicted class follows from all K scores; one class's bins know nothing of it.
        found = calibrate(bins_alone(true), bins_alone(total))
        if found is None:
            return None
        rates.append(found.rates[:, 0])
    base = np.array([true.sum() / total.sum() for true, total in zip(positives, rows, strict=True)])
    return ClassCalibration(tuple(edges), tuple(rates), base)


def probabilities(scores: Array, calibration: ClassCalibration) -> Array:
    """Calibrate and normalise rows of scores, (n, K); each row sums to 1.

    Args:
        scores: (n, K), finite.
        calibration: the reference's.
    """
    found = np.empty(scores.shape)
    for k in range(calibration.classes):
        found[:, k] = calibration.rates[k][np.searchsorted(calibration.edges[k], scores[:, k])]
    sums = found.sum(axis=1, keepdims=True)
    return np.where(sums > 0, found / np.where(sums > 0, sums, 1.0), calibration.base)


def fold(scores: Array, predicted: NDArray[np.int64], calibration: ClassCalibration) -> NDArray[np.int64]:
    """Add rows up to their expected confusion, an exact sum.

    Args:
        scores: (n, K). Rows with a score that is no finite number are left out.
        predicted: class of each row, (n,), 0 to K - 1; rows with any other number are left out.
        calibration: the reference's.

    Returns:
        int64 (2, K, K): LO and HI of each cell, [true, predicted], in units of 2**-40. Sums of any rows may be
        added and taken out again, cell by cell, 2**30 times before `normalised` has to be called.

    >>> flat = calibrate_classes([np.array([0.5])] * 2, [np.array([32, 96])] * 2, [np.array([128, 128])] * 2)
    >>> sums = fold(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1]), flat)
    >>> confusion_of(sums).tolist()
    [[0.75, 0.25], [0.25, 0.75]]

    """
    size = calibration.classes
    found = np.zeros((2, size, size), np.int64)
    usable = (predicted >= 0) & (predicted < size) & np.isfinite(scores).all(axis=1)
    scores, predicted = scores[usable], predicted[usable]
    for start in range(0, len(predicted), _BATCH):
        chunk = slice(start, start + _BATCH)
        terms = _terms(probabilities(scores[chunk], calibration))
        sums = np.stack([terms[predicted[chunk] == j].sum(axis=0) for j in range(size)], axis=1)
        found[LO] += sums & ((1 << _LO_BITS) - 1)
        found[HI] += sums >> _LO_BITS
    return normalised(found)


def _terms(shares: Array) -> NDArray[np.int64]:
    """Round rows of probabilities to units of 2**-40, each row to a sum of exactly 1."""
    terms = np.rint(np.ldexp(shares, _BITS)).astype(np.int64)
    row = np.arange(len(terms))
    terms[row, shares.argmax(axis=1)] += (1 << _BITS) - terms.sum(axis=1)
    return terms


def normalised(sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """Carry LO into HI, so that equal sums are equal arrays: LO in [0, 2**32)."""
    return np.stack([sums[LO] & ((1 << _LO_BITS) - 1), sums[HI] + (sums[LO] >> _LO_BITS)])


def confusion_of(sums: NDArray[np.int64]) -> Array:
    """Expected confusion of exact sums, float64 (K, K): [true, predicted]."""
    whole = normalised(sums)
    return np.asarray(
        np.ldexp(whole[HI].astype(np.float64), _LO_BITS - _BITS)
        + np.ldexp(whole[LO].astype(np.float64), -_BITS),
        np.float64,
    )
