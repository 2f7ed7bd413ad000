"""Answers of two models and labels meet by id, read by one scheme."""

from __future__ import annotations

import numpy as np

from driftline.schemas.ids import id_of
from driftline.streams.advice.pairs import Labels, Said, joined, matches
from driftline.streams.join.scheme import UNKNOWN, Scheme

BINARY = Scheme("p", "binary", ("false", "true"), ("score",), threshold=0.5)
NUMBERS = Scheme("p", "regression", scores=("price",))


def ids(*names: str) -> np.ndarray:
    """Return ids of texts."""
    return np.frombuffer(b"".join(map(id_of, names)), np.uint8).reshape(-1, 16)


def said(names: str, scores: dict[str, list[float]], predicted: str = "") -> Said:
    """Return answers to predictions of one letter each; a dot is no class."""
    levels = tuple(sorted(set(predicted) - {"."}))
    codes = [levels.index(one) if one != "." else -1 for one in predicted or "." * len(names)]
    arrays = {name: np.array(values) for name, values in scores.items()}
    times = np.arange(len(names), dtype=np.int64) * 86_400_000
    return Said(ids(*names), times, arrays, levels, np.array(codes, np.int64))


def labels(names: str, numbers: list[float], classes: tuple[str, ...] = ()) -> Labels:
    """Return labels; NaN is a label that is a class, taken from `classes` in turn."""
    levels = tuple(dict.fromkeys(classes))
    which = iter(classes)
    codes = [levels.index(next(which)) if np.isnan(one) else -1 for one in numbers]
    return Labels(ids(*names), np.array(numbers, np.float64), levels, np.array(codes, np.int64))


def test_rows_meet_by_id_whatever_their_order() -> None:
    """Only predictions that both answered and that have a label are pairs; days are those of the live model."""
    live = said("abcd", {"score": [0.1, 0.2, 0.8, 0.9]})
    other = said("dcbx", {"score": [0.6, 0.7, 0.4, 0.5]})
    found = joined(BINARY, live, other, labels("bdz", [1.0, 0.0, 1.0]))
    rows = sorted(zip(found.day.tolist(), found.truth.tolist(), found.live.scores[0].tolist(),
                      found.candidate.scores[0].tolist(), strict=True))  # fmt: skip
    assert rows == [(1, 1, 0.2, 0.4), (3, 0, 0.9, 0.6)]
    assert matches(live, other) == 3


def test_a_class_that_no_one_said_is_taken_from_the_score() -> None:
    """The event's own class goes before the threshold."""
    live = said("ab", {"score": [0.9, 0.9]}, predicted="..")
    other = Said(
        ids("a", "b"), np.zeros(2, np.int64), {"score": np.array([0.9, 0.9])}, ("false",), np.array([0, -1])
    )
    found = joined(BINARY, live, other, labels("ab", [1.0, 1.0]))
    assert found.live.said.tolist() == [1, 1]
    assert sorted(found.candidate.said.tolist()) == [0, 1]


def test_labels_are_read_as_the_worker_reads_them() -> None:
    """1, true and the class of that name are one truth; what names no class takes the row out."""
    live = said("abcd", {"score": [0.1, 0.2, 0.3, 0.4]})
    found = joined(BINARY, live, live, labels("abcd", [1.0, np.nan, np.nan, 7.0], ("true", "maybe")))
    assert found.truth.tolist() == [1, 1]
    assert UNKNOWN not in found.truth


def test_a_single_score_may_have_another_name() -> None:
    """A candidate that calls its score otherwise is read all the same; one without a score is not."""
    live = said("ab", {"price": [1.0, 2.0]})
    renamed, silent = said("ab", {"estimate": [1.5, 2.5]}), said("ab", {})
    truth = labels("ab", [1.0, 2.0])
    assert joined(NUMBERS, live, renamed, truth).candidate.scores.tolist() in ([[1.5, 2.5]], [[2.5, 1.5]])
    assert len(joined(NUMBERS, live, silent, truth)) == 0
