"""Outcomes: what pairs of prediction and label add up to, as counts and exact sums, so that parts merge exactly."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from driftline.schemas.errors import DriftlineError
from driftline.streams.join.exact import exact_sum, exact_sums
from driftline.streams.join.predicted import answer_shapes, predicted_classes
from driftline.streams.join.quantiles import add_quantiles, sums_of
from driftline.streams.join.scheme import SPLIT, UNKNOWN
from driftline.streams.stats.class_calibration import fold, normalised
from driftline.streams.stats.estimate_binary import binary_counts
from driftline.streams.stats.losses import (
    ECE_EDGES,
    brier_terms,
    brier_terms_of_classes,
    calibration_bins,
    log_loss_terms,
    log_loss_terms_of_classes,
)
from driftline.streams.stats.regression import regression_terms
from driftline.streams.windows.kernel import LATENCY_BINS
from driftline.streams.windows.latency import latency_bins

if TYPE_CHECKING:
    from driftline.streams.join.scheme import Scheme

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

LARGEST: Final = 1e60
"""Of a number: fourth powers of errors, and sums of a billion of them, stay numbers."""
LARGEST_TERM: Final = 1e250
CALIBRATION_BINS: Final = len(ECE_EDGES) + 1
COUNTS: Final = ("predictions", "labels", "unknown", "undecided", "counted", "nonzero")
SUM_BYTES: Final = 180
"""An exact sum of 1,200 bits."""
TABLES: Final = ("confusion", "cells", "calibration", "answers", "expected")
LOSSES: Final = ("log_loss", "log_loss_squared", "brier", "brier_squared")
"""Exact sums of a task of classes, by name."""
ERRORS: Final = (
    "error",
    "absolute",
    "squared",
    "fourth",
    "target",
    "target_squared",
    "relative",
    "relative_squared",
)
"""Exact sums of a regression, by the fields of `RegressionSums`."""


class OutcomesError(DriftlineError):
    """Outcomes of different profiles that were to be added."""


@dataclass(slots=True, eq=False)
class Outcomes:
    """What was counted of the pairs of one window.

    Attributes:
        digest: identity of the scheme; empty when none is known, and then only predictions and labels are counted.
        predictions: predictions of the window, one an id.
        labels: of them those with a label in force that is not withdrawn.
        unknown: labels that name no class of the scheme, or no number.
        undecided: labelled predictions that say nothing to hold the label against.
        confusion: int64 (K, K), rows the true class, columns the predicted one.
        cells: int64 (2, 2, B): labelled rows of a binary task per true class, class they say and score bin.
        calibration: int64 (2, 10): labelled rows per equal part of 0 .. 1, and of them the positive ones.
        answers: int64, all predictions, labelled or not: of a binary task (2, B), per class they say and score bin;
            of classes (P, T), per class they say and bin of its score (`ClassCounts.top`).
        expected: int64 (2, K, K), the confusion that the scores of all predictions expect (`ClassCounts.sums`).
        calibration_sums: exact sums of the scores in each of those parts.
        sums: exact sums by name: `LOSSES`, or `ERRORS` and those of quantiles.
        counted: rows behind `sums`.
        nonzero: of them those whose truth is not 0.
        delays: int64 (LATENCY_BINS,), the sketch of the labels' delays in s; None before the first.
        groups: the same by segment and place of the value, counted by the coarse scheme.
    """

    digest: str
    predictions: int = 0
    labels: int = 0
    unknown: int = 0
    undecided: int = 0
    confusion: Counts = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    cells: Counts = field(default_factory=lambda: np.zeros((2, 2, 0), np.int64))
    calibration: Counts = field(default_factory=lambda: np.zeros((2, CALIBRATION_BINS), np.int64))
    answers: Counts = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    expected: Counts = field(default_factory=lambda: np.zeros((2, 0, 0), np.int64))
    calibration_sums: list[int] = field(default_factory=lambda: [0] * CALIBRATION_BINS)
    sums: dict[str, int] = field(default_factory=dict)
    counted: int = 0
    nonzero: int = 0
    delays: Counts | None = None
    groups: dict[str, dict[int, Outcomes]] = field(default_factory=dict)

    @classmethod
    def of(cls, scheme: Scheme | None) -> Outcomes:
        """Nothing yet, for pairs of one scheme; without one only predictions and labels are counted."""
        if scheme is None:
            return cls("")
        size = len(scheme.classes)
        names = ERRORS if scheme.task == "regression" else LOSSES
        answers, expected = (
            ((2, scheme.bins), (2, 0, 0)) if scheme.task == "binary" else answer_shapes(scheme)
        )
        return cls(
            scheme.identity,
            confusion=np.zeros((size, size), np.int64),
            cells=np.zeros((2, 2, scheme.bins), np.int64),
            answers=np.zeros(answers, np.int64),
            expected=np.zeros(expected, np.int64),
            sums=dict.fromkeys(names, 0) | sums_of(scheme),
        )

    @property
    def nbytes(self) -> int:
        """Bytes held, those of groups too."""
        tables = sum(getattr(self, name).nbytes for name in TABLES)
        groups = sum(one.nbytes for values in self.groups.values() for one in values.values())
        delays = 0 if self.delays is None else self.delays.nbytes
        return int(tables + delays + groups) + SUM_BYTES * (len(self.sums) + CALIBRATION_BINS)

    @property
    def scored(self) -> Counts:
        """Labelled rows per score bin, those of the negative class and of the positive one; int64 (2, B)."""
        found: Counts = self.cells.sum(axis=1)
        return found

    def merge(self, other: Outcomes, sign: int = 1) -> None:
        """Add what another part counted; with the sign -1 take it out, to the last bit: all sums are whole numbers.

        Raises:
            OutcomesError: the two were counted by different schemes.
        """
        if self.digest != other.digest:
            mine, theirs = (one.digest[:12] or "none" for one in (self, other))
            raise OutcomesError(f"outcomes counted with profile {mine} and with {theirs} do not add up")
        for name in (*COUNTS, *TABLES):
            setattr(self, name, getattr(self, name) + sign * getattr(other, name))
        if self.expected.size:
            self.expected = normalised(self.expected)
        both = zip(self.calibration_sums, other.calibration_sums, strict=True)
        self.calibration_sums = [mine + sign * theirs for mine, theirs in both]
        self.sums = {name: total + sign * other.sums[name] for name, total in self.sums.items()}
        if other.delays is not None:
            self.delays = sign * other.delays if self.delays is None else self.delays + sign * other.delays
        if self.delays is not None and not self.labels:
            self.delays = None
        for segment, values in other.groups.items():
            held = self.groups.setdefault(segment, {})
            for at, one in values.items():
                held.setdefault(at, one.empty()).merge(one, sign)

    def read_by(self, identity: str) -> Outcomes:
        """Give these as another scheme has them: their totals where it differs in segments alone, else as they are."""
        mine, wanted = (one.partition(SPLIT)[0] for one in (self.digest, identity))
        if self.digest == identity or mine != wanted:
            return self
        return replace(self, digest=identity, groups={})

    def rename(self, digest: str) -> None:
        """Name the scheme anew, here and in the groups."""
        self.digest = digest
        for values in self.groups.values():
            for one in values.values():
                one.rename(digest)

    def empty(self) -> Outcomes:
        """Nothing yet, of the same scheme."""
        return Outcomes(
            self.digest,
            **{name: np.zeros_like(getattr(self, name)) for name in TABLES},
            sums=dict.fromkeys(self.sums, 0),
        )

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Outcomes):
            return NotImplemented
        plain, tables = ("digest", *COUNTS, "calibration_sums", "sums", "groups"), (*TABLES, "delays")
        return all(getattr(self, name) == getattr(other, name) for name in plain) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in tables
        )

    def add_answers(self, scheme: Scheme, said: Counts, scores: NDArray[np.floating]) -> None:
        """Count predictions and what they say, labelled or not; arguments as `add_classes`."""
        self.predictions += len(said)
        if not len(scores):
            return
        said = predicted_classes(scheme, said, scores)
        if scheme.task == "binary":
            self.answers += binary_counts(scheme.travelled(scores[0]), said, scheme.edges)
        elif scheme.calibration is not None:
            counts = fold(scheme.calibration, scores.T, said)
            self.answers += counts.top
            self.expected = normalised(self.expected + counts.sums)

    def add_truth(
        self, scheme: Scheme, truth: NDArray[Any], said: NDArray[Any], scores: NDArray[np.floating]
    ) -> None:
        """Count labelled rows; arguments as `add_classes` or `add_numbers`, by the task; scores by `scheme.columns`."""
        if scheme.task == "regression":
            self.add_numbers(truth, said)
            add_quantiles(self.sums, scheme, truth, scores)
        else:
            self.add_classes(scheme, truth, said, scores)

    def add_classes(self, scheme: Scheme, truth: Counts, said: Counts, scores: NDArray[np.floating]) -> None:
        """Count labelled rows of a task of classes.

        Args:
            scheme: of the model version.
            truth: int64 (n,), the label's class or `UNKNOWN`.
            said: int64 (n,), the class that the event carries or `UNKNOWN`.
            scores: (S, n), by `scheme.scores`.
        """
        self.unknown += int((truth == UNKNOWN).sum())
        known = truth != UNKNOWN
        truth, said, scores = truth[known], said[known], scores[:, known].astype(np.float64)
        said = predicted_classes(scheme, said, scores)
        decided = said != UNKNOWN
        self.undecided += int((~decided).sum())
        size = len(scheme.classes)
        pair = truth[decided] * size + said[decided]
        self.confusion += np.bincount(pair, minlength=size * size).reshape(size, size)
        if not len(scores):
            return
        finite = np.isfinite(scores).all(axis=0)
        truth, scores = truth[finite], scores[:, finite]
        self.counted += len(truth)
        if scheme.task == "binary":
            self._add_binary(scheme, truth, said[finite], scores[0])
        else:
            rows = scores.T
            self._add_losses(log_loss_terms_of_classes(rows, truth), brier_terms_of_classes(rows, truth))

    def add_numbers(self, truth: Floats, said: Floats) -> None:
        """Count labelled rows of a regression: true and predicted numbers, float64 (n,), NaN for none.

        A number past `LARGEST` is none that an answer could be held against.
        """
        self.unknown += int(np.isnan(truth).sum())
        usable = (np.abs(truth) <= LARGEST) & (np.abs(said) <= LARGEST)
        self.undecided += int((~usable & ~np.isnan(truth)).sum())
        truth, said = truth[usable], said[usable]
        self.counted += len(truth)
        with np.errstate(over="ignore"):  # figures of such numbers are infinite, and say so
            terms = regression_terms(truth, said)
        self.nonzero += int(terms.relative_rows.sum())
        for name in ERRORS:
            self.sums[name] += exact_sum(_bounded(getattr(terms, name)))

    def add_delays(self, delay_s: Floats) -> None:
        """Count how long after the event each label became known, s; at once for one that was known before."""
        counts = np.bincount(latency_bins(np.maximum(delay_s, 0.0)), minlength=LATENCY_BINS)
        self.delays = counts if self.delays is None else self.delays + counts

    def _add_binary(self, scheme: Scheme, truth: Counts, said: Counts, score: Floats) -> None:
        ranked = scheme.travelled(score)
        for label in (0, 1):
            mine = truth == label
            self.cells[label] += binary_counts(ranked[mine], said[mine], scheme.edges)
        probability = np.clip(score, 0.0, 1.0)
        part = calibration_bins(probability)
        self.calibration[0] += np.bincount(part, minlength=CALIBRATION_BINS)
        self.calibration[1] += np.bincount(part[truth == 1], minlength=CALIBRATION_BINS)
        sums = exact_sums(probability, part, CALIBRATION_BINS)
        self.calibration_sums = [mine + more for mine, more in zip(self.calibration_sums, sums, strict=True)]
        self._add_losses(log_loss_terms(probability, truth), brier_terms(probability, truth))

    def _add_losses(self, loss: Floats, brier: Floats) -> None:
        for name, values in zip(LOSSES, (loss, loss**2, brier, brier**2), strict=True):
            self.sums[name] += exact_sum(values)


def _bounded(values: Floats) -> Floats:
    """Terms past `LARGEST_TERM` are taken as that, so that sums of very many stay numbers."""
    return np.clip(values, -LARGEST_TERM, LARGEST_TERM)
