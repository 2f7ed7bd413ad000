"""Class calibration: what scores of many classes meant in the reference, and the exact sum of what they expect.

Each class's score is calibrated against the rest on its own bins (Zadrozny and Elkan 2002, "Transforming
classifier scores into accurate multiclass probability estimates"), and the K rates of a row are divided by their
sum. A row predicted as class j adds its probabilities to column j of a K x K sum: the confusion that is
expected, [true, predicted]. Scores of the other classes than the predicted one are seen as they fall together
in each row, which no table of bins could keep.

Sums are exact. A probability is rounded once to a multiple of 2**-40, and what rounding took from a row, or gave to it,
goes to its most probable class: a row adds exactly 1, and no order of rows, no cut into batches and no later
subtraction changes the sum. It is kept as lo + hi * 2**32, like the sums of the counters.

Beside it stand the predictions by predicted class and its own score, the top bins: from them come intervals, and
with more than 20 classes accuracy itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from driftline.streams.stats.calibration import Calibration, bins_alone, calibrate
from driftline.streams.stats.shares import Array

MOST_CLASSES: Final = 20
"""With more classes only accuracy is estimated: K x K sums grow past their use."""
TOP_BINS: Final = 32
CLASS_BINS: Final = 256
LO: Final = 0
HI: Final = 1

_BITS: Final = 40
_LO_BITS: Final = 32
_BATCH: Final = 1 << 14  # rows whose table of K probabilities fits a cache


class ClassCounts(NamedTuple):
    """What a window counts of its predictions for an estimate; counts add up field by field."""

    sums: NDArray[np.int64]
    """Expected confusion, (2, K, K): LO and HI of each cell, [true, predicted]; (2, 0, 0) past `MOST_CLASSES`.
    Sums of any rows may be added and taken out again 2**30 times before `normalised` has to be called."""
    top: NDArray[np.int64]
    """Predictions, (K, T): [predicted class, bin of its score], T at most `TOP_BINS`."""


@dataclass(frozen=True, slots=True)
class ClassReference:
    """What is kept of a reference's labels: enough for every estimate of K classes; made by `class_reference`.

    Past `MOST_CLASSES` there are but the top bins: the tuples are empty, and the tables of shape (0, 0).
    """

    classes: int
    """K, scores of a row."""
    edges: tuple[Array, ...]
    """Of each class's score bins, ascending, (bins - 1,); at most `CLASS_BINS` bins (edges[b - 1], edges[b]]."""
    positives: tuple[NDArray[np.int64], ...]
    """Rows whose true class it is, by bin of its score, (bins,)."""
    rows: tuple[NDArray[np.int64], ...]
    """Rows by bin of its score, (bins,)."""
    confusion: NDArray[np.int64]
    """Rows, (K, K): [true, predicted]."""
    expected: NDArray[np.int64]
    """What `fold` expects of the same rows, (2, K, K), as in `ClassCounts.sums`."""
    top_edges: Array
    """Of the bins of the predicted class's score, ascending, (T - 1,)."""
    top: NDArray[np.int64]
    """Rows, (2, K, T): [wrong or right, predicted class, bin of its score]."""


@dataclass(frozen=True, slots=True)
class ClassCalibration:
    """A reference ready for folds and estimates; made once a profile by `class_calibration`."""

    classes: int
    edges: tuple[Array, ...]
    """As in the reference, where neighbours of one rate are one bin."""
    rates: tuple[Array, ...]
    """Of each class, (bins,): its probability where its score lies in a bin."""
    base: Array
    """Share of each class in the reference, (K,): taken for a row in whose bins no class was ever true."""
    anchor: Array
    """Rows counted for each row expected in the reference, (K, K): dividing rates by their sum biases them."""
    top_edges: Array
    top: tuple[Calibration, ...]
    """Of each predicted class: how often it was right; that of all classes where the reference never predicts it."""
    wrong: NDArray[np.int64]
    """Reference rows predicted wrong as each class, (K,)."""

    @property
    def tables(self) -> bool:
        """Whether there is an expected confusion."""
        return self.classes <= MOST_CLASSES


def class_reference(scores: ArrayLike, predicted: ArrayLike, truth: ArrayLike) -> ClassReference | None:
    """Count a reference's labelled rows; None without one.

    Args:
        scores: (n, K), column k of class k. They must come from rows that the model did not learn from. Rows with a
            score that is no finite number are left out.
        predicted: class of each row, (n,), 0 to K - 1; rows with any other number are left out.
        truth: alike.

    """
    score, said, true = np.asarray(scores, np.float64), np.asarray(predicted), np.asarray(truth)
    size = score.shape[1]
    usable = _usable(score, said) & (true >= 0) & (true < size)
    score, said, true = score[usable], said[usable].astype(np.int64), true[usable].astype(np.int64)
    if not len(said):
        return None
    top_edges = np.unique(np.quantile(score[np.arange(len(said)), said], np.arange(1, TOP_BINS) / TOP_BINS))
    right = said == true
    top = np.stack([_top(score[right == hit], said[right == hit], top_edges, size) for hit in (False, True)])
    none = np.zeros(0, np.int64)
    found = ClassReference(size, (), (), (), none.reshape(0, 0), none.reshape(2, 0, 0), top_edges, top)
    if size > MOST_CLASSES:
        return found
    edges = tuple(_edges(column) for column in score.T)
    bins = [np.searchsorted(ends, column, side="left") for ends, column in zip(edges, score.T, strict=True)]
    found = replace(
        found,
        edges=edges,
        positives=tuple(np.bincount(b[true == k], minlength=len(edges[k]) + 1) for k, b in enumerate(bins)),
        rows=tuple(np.bincount(b, minlength=len(edges[k]) + 1) for k, b in enumerate(bins)),
        confusion=np.bincount(true * size + said, minlength=size * size).reshape(size, size),
        expected=np.zeros((2, size, size), np.int64),
    )
    calibration = class_calibration(found)
    return None if calibration is None else replace(found, expected=fold(calibration, score, said).sums)


def class_calibration(reference: ClassReference) -> ClassCalibration | None:
    """Learn the rates of a reference; None when it has no labelled row."""
    top = _calibrate_top(reference.top)
    if top is None:
        return None
    edges, rates = [], []
    for ends, positives, rows in zip(reference.edges, reference.positives, reference.rows, strict=True):
        # The predicted class follows from all K scores; one class's bins know nothing of it.
        found = calibrate(bins_alone(positives), bins_alone(rows))
        of = found.rates[:, 0] if found is not None else np.zeros(len(rows))
        differs = of[1:] != of[:-1]
        edges.append(ends[differs])
        rates.append(of[np.concatenate([[True], differs])])
    # One row more on either side: a cell that hardly a row was expected in tells nothing of the next ones.
    anchor = (reference.confusion + 1) / (confusion_of(reference.expected) + 1)
    return ClassCalibration(
        reference.classes,
        tuple(edges),
        tuple(rates),
        reference.confusion.sum(axis=1) / max(reference.confusion.sum(), 1),
        anchor,
        reference.top_edges,
        top,
        reference.top[0].sum(axis=1),
    )


def fold(calibration: ClassCalibration, scores: ArrayLike, predicted: ArrayLike) -> ClassCounts:
    """Count predictions for an estimate. Arguments as of `class_reference`.

    >>> scores = np.array([[0.9, 0.1]] * 64 + [[0.2, 0.8]] * 64)
    >>> reference = class_reference(scores, scores.argmax(axis=1), np.arange(128) % 4 // 3)
    >>> counts = fold(class_calibration(reference), scores[:1], np.array([0]))
    >>> confusion_of(counts.sums).tolist(), counts.top.sum().item()
    ([[0.75, 0.0], [0.25, 0.0]], 1)

    """
    score, said = np.asarray(scores, np.float64), np.asarray(predicted)
    usable = _usable(score, said)
    if not usable.all():
        score, said = score[usable], said[usable]
    said = said.astype(np.int64)
    top = _top(score, said, calibration.top_edges, calibration.classes)
    size = calibration.classes if calibration.tables else 0
    sums = np.zeros((2, size, size), np.int64)
    for start in range(0, len(said) if size else 0, _BATCH):
        chunk = slice(start, start + _BATCH)
        terms, column = _terms(_probabilities(score[chunk], calibration)), said[chunk]
        added = np.stack([terms[column == j].sum(axis=0) for j in range(size)], axis=1)
        sums[LO] += added & ((1 << _LO_BITS) - 1)
        sums[HI] += added >> _LO_BITS
    return ClassCounts(normalised(sums), top)


def _calibrate_top(top: NDArray[np.int64]) -> tuple[Calibration, ...] | None:
    """Learn how often each predicted class was right by its score, from rows (2, K, T)."""
    wrong, right = top
    overall = calibrate(bins_alone(right.sum(axis=0)), bins_alone(top.sum(axis=(0, 1))))
    if overall is None:
        return None
    unseen = replace(overall, seen=np.zeros_like(overall.seen))
    return tuple(
        calibrate(bins_alone(r), bins_alone(r + w)) or unseen for r, w in zip(right, wrong, strict=True)
    )


def normalised(sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """Carry LO into HI, so that equal sums are equal arrays: LO in [0, 2**32)."""
    return np.stack([sums[LO] & ((1 << _LO_BITS) - 1), sums[HI] + (sums[LO] >> _LO_BITS)])


def confusion_of(sums: NDArray[np.int64]) -> Array:
    """Expected confusion of exact sums, float64 (K, K): [true, predicted]."""
    whole = normalised(sums)
    high, low = np.ldexp(whole[HI].astype(np.float64), _LO_BITS - _BITS), whole[LO].astype(np.float64)
    return np.asarray(high + np.ldexp(low, -_BITS), np.float64)


def _usable(scores: Array, predicted: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray((predicted >= 0) & (predicted < scores.shape[1]) & np.isfinite(scores).all(axis=1))


def _edges(scores: Array) -> Array:
    """Edges of a class's score bins: even quantiles, and geometric ones at either end, where rare classes are."""
    half = CLASS_BINS // 2
    tails = np.geomspace(1 / half, 1 / max(len(scores), half), half // 2)
    shares = np.concatenate([np.arange(1, half) / half, tails[1:], 1 - tails[1:]])
    return np.unique(np.quantile(scores, shares))


def _top(scores: Array, predicted: NDArray[np.int64], edges: Array, classes: int) -> NDArray[np.int64]:
    """Count rows by predicted class and its score, (K, T)."""
    size = len(edges) + 1
    own = scores[np.arange(len(predicted)), predicted]
    cell = np.searchsorted(edges, own, side="left") + size * predicted
    return np.bincount(cell, minlength=size * classes).reshape(classes, size)


def _probabilities(scores: Array, calibration: ClassCalibration) -> Array:
    """Calibrate and normalise rows of scores, (n, K); each row sums to 1."""
    found = np.empty(scores.shape)
    for k in range(calibration.classes):
        found[:, k] = calibration.rates[k][np.searchsorted(calibration.edges[k], scores[:, k], side="left")]
    sums = found.sum(axis=1, keepdims=True)
    if (sums > 0).all():
        return np.asarray(found / sums, np.float64)
    return np.where(sums > 0, found / np.where(sums > 0, sums, 1.0), calibration.base)


def _terms(shares: Array) -> NDArray[np.int64]:
    """Round rows of probabilities to units of 2**-40, each row to a sum of exactly 1."""
    terms = np.rint(np.ldexp(shares, _BITS)).astype(np.int64)
    terms[np.arange(len(terms)), shares.argmax(axis=1)] += (1 << _BITS) - terms.sum(axis=1)
    return terms
