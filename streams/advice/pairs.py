"""Pairs: what the live model and a candidate answered to the same predictions, beside the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from driftline.streams.join.scheme import UNKNOWN

if TYPE_CHECKING:
    from driftline.streams.join.scheme import Scheme

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]
Truths: TypeAlias = NDArray[Any]
"""int64 of classes, float64 of numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model said of n predictions.

    Attributes:
        said: int64 (n,), the class, `UNKNOWN` for none; empty classes of a regression are all `UNKNOWN`.
        scores: float64 (S, n), by the scores of the scheme; NaN for none.
    """

    said: Counts
    scores: Floats

    def take(self, rows: NDArray[np.bool_]) -> Answers:
        """Give some rows."""
        return Answers(self.said[rows], self.scores[:, rows])


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Labelled predictions that both models answered.

    Attributes:
        day: int64 (n,), day of the event since 1970, UTC.
        truth: of classes int64 (n,), the true class; of numbers float64 (n,).
        live: what the live model said.
        candidate: what the candidate said.
    """

    day: Counts
    truth: Truths
    live: Answers
    candidate: Answers

    def __len__(self) -> int:
        """Rows."""
        return len(self.day)


def pairs_of(scheme: Scheme, day: Counts, truth: Truths, live: Answers, candidate: Answers) -> Pairs:
    """Keep the rows that have a truth and an answer of both: the same rows, or the comparison is none.

    Args:
        scheme: how answers are held against truth; both models are read by it.
        day: int64 (n,).
        truth: of classes `UNKNOWN` where the label names none, of numbers NaN.
        live: a binary class that is not said is taken from the score and the threshold.
        candidate: the same.
    """
    usable = np.isfinite(truth) if scheme.task == "regression" else truth != UNKNOWN
    answers = [_decided(scheme, one) for one in (live, candidate)]
    for one in answers:
        has_scores = len(one.scores) > 0
        usable &= np.isfinite(one.scores).all(axis=0) if has_scores else one.said != UNKNOWN
        if scheme.task != "regression":
            usable &= one.said != UNKNOWN
    return Pairs(day[usable], truth[usable], *(one.take(usable) for one in answers))


def _decided(scheme: Scheme, answers: Answers) -> Answers:
    """Say the class that a score means where the event carries none."""
    if not len(answers.scores) or scheme.task == "regression":
        return answers
    if scheme.task == "binary":
        means = (answers.scores[0] > scheme.threshold).astype(np.int64)
    else:
        means = answers.scores.argmax(axis=0).astype(np.int64)
    known = np.isfinite(answers.scores).all(axis=0)
    return Answers(np.where((answers.said == UNKNOWN) & known, means, answers.said), answers.scores)
