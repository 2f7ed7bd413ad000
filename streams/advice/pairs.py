"""Pairs: what the live model and a candidate answered to the same predictions, beside the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from driftline.schemas.number_text import number_text
from driftline.streams.join.keys import keys_of, pairs, sorted_order
from driftline.streams.join.scheme import UNKNOWN
from driftline.streams.windows.resolution import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.streams.join.scheme import Scheme


Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]
Truths: TypeAlias = NDArray[Any]
"""int64 of classes, float64 of numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What a model said of n predictions, as it was recorded.

    Attributes:
        ids: uint8 (n, 16), each once.
        times_ms: int64 (n,), event times; zeros where they are not known.
        scores: name -> float64 (n,), NaN for none.
        levels: the predicted classes.
        codes: int64 (n,), places in `levels`, -1 for none.
    """

    ids: NDArray[np.uint8]
    times_ms: Counts
    scores: Mapping[str, Floats]
    levels: tuple[str, ...]
    codes: Counts


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The labels in force.

    Attributes:
        ids: uint8 (n, 16), each once.
        number: float64 (n,), NaN for a label that is a class.
        levels: the classes.
        codes: int64 (n,), places in `levels`, -1 for a label that is a number.
    """

    ids: NDArray[np.uint8]
    number: Floats
    levels: tuple[str, ...]
    codes: Counts


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


def joined(scheme: Scheme, live: Said, candidate: Said, labels: Labels) -> Pairs:
    """Bring the answers of two models and the labels together by id."""
    kept, told = _common(live.ids, labels.ids)
    mine, theirs = _common(live.ids[kept], candidate.ids)
    rows, told = kept[mine], told[mine]
    return pairs_of(
        scheme,
        live.times_ms[rows] // DAY_MS,
        _truth(scheme, labels, told),
        _answers(scheme, live, rows),
        _answers(scheme, candidate, theirs),
    )


def matches(live: Said, candidate: Said) -> int:
    """Count the predictions that both answered."""
    return len(_common(live.ids, candidate.ids)[0])


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


def _common(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> tuple[Counts, Counts]:
    """Give the rows of both sides that have one id."""
    keys = [keys_of(side) for side in (left, right)]
    orders = [sorted_order(*one) for one in keys]
    ranked = [(key[order], rest[order]) for (key, rest), order in zip(keys, orders, strict=True)]
    mine, theirs = pairs(*ranked[0], *ranked[1])
    return orders[0][mine], orders[1][theirs]


def _truth(scheme: Scheme, labels: Labels, rows: Counts) -> Truths:
    number, codes = labels.number[rows], labels.codes[rows]
    if scheme.task == "regression":
        return np.where(codes < 0, number, np.nan)
    found = _classes(scheme, labels.levels, codes)
    numbers = np.flatnonzero((codes < 0) & ~np.isnan(number))
    if len(numbers):
        distinct, which = np.unique(number[numbers], return_inverse=True)
        of = np.array([scheme.index_of(number_text(value)) for value in distinct.tolist()], np.int64)
        found[numbers] = of[which]
    return found


def _answers(scheme: Scheme, said: Said, rows: Counts) -> Answers:
    """Read what was said by the scheme; a model with one score may call it otherwise."""
    names = list(scheme.scores)
    if len(names) == 1 and names[0] not in said.scores and len(said.scores) == 1:
        names = list(said.scores)
    none = np.full(len(rows), np.nan)
    scores = [said.scores[name][rows] if name in said.scores else none for name in names]
    given = np.stack(scores) if any(name in said.scores for name in names) else np.zeros((0, len(rows)))
    return Answers(_classes(scheme, said.levels, said.codes[rows]), given)


def _classes(scheme: Scheme, levels: tuple[str, ...], codes: Counts) -> Counts:
    return np.array([*(scheme.index_of(level) for level in levels), UNKNOWN], np.int64)[codes]
