"""P3, the pure part: labels in any order, again, corrected, withdrawn, early or late, give what a plain join gives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.schemas.columns import Category, LabelColumns, NumericBlock, PredictionColumns
from driftline.streams.join.cell import Cell
from driftline.streams.join.hot import Hot
from driftline.streams.join.kept import CellKey
from driftline.streams.join.labels import Labels, label_rows
from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.outcomes_bytes import decode, encode
from driftline.streams.join.pairing import outcomes_of
from driftline.streams.join.scheme import Scheme, Segment
from driftline.streams.join.vocabulary import Vocabulary

START_MS = 1_750_032_000_000
SEGMENTS = (Segment("region", ("0", "1")), Segment("missing", ("a",)))
SCHEMES = {
    "binary": Scheme(
        "d",
        "binary",
        ("0", "1"),
        ("score",),
        edges=np.array([0.25, 0.5, 0.75]),
        coarse_edges=np.array([0.5]),
        segments=SEGMENTS,
    ),
    "classes": Scheme("d", "classes", ("0", "1", "2"), ("0", "1", "2"), segments=SEGMENTS),
    "regression": Scheme("d", "regression", scores=("score",), segments=SEGMENTS),
}


class Fact(NamedTuple):
    """One row of either topic; `value` None withdraws."""

    is_label: bool
    id: int
    known_at: int
    value: int | None
    score: int


FACTS = st.lists(
    st.builds(
        Fact,
        st.booleans(),
        st.integers(0, 12),
        st.integers(0, 3),
        st.one_of(st.none(), st.integers(0, 3)),
        st.integers(0, 8),
    ),
    max_size=60,
)


@given(FACTS, st.lists(st.integers(0, 4), max_size=12), st.sampled_from(sorted(SCHEMES)))
def test_any_schedule_gives_what_a_plain_join_gives(facts: list[Fact], cuts: list[int], task: str) -> None:
    """Whatever the order and the cut into batches, the outcomes equal (`==`) those of the surviving pairs."""
    scheme, hot = SCHEMES[task], Hot("d")
    at, cuts = 0, cuts or [1]
    while at < len(facts):
        size = 1 + cuts[at % len(cuts)]
        part = facts[at : at + size]
        said = [fact for fact in part if not fact.is_label]
        if said:
            hot.fold(predictions(said, scheme), at, lambda _: scheme, ("1d",), 3)
        known = [fact for fact in part if fact.is_label]
        if known:
            hot.add_labels(truths(known, task), at, START_MS)
        if cuts[at % len(cuts)] == 0:
            hot.settle()
            hot.close()
        at += size
    hot.settle()
    found = hot.outcomes.get(CellKey("1", "champion", START_MS)) or Outcomes.of(scheme)
    assert found == plain(facts, scheme, task)
    assert decode(encode(found)) == found


@given(FACTS, st.integers(0, 12))
def test_parts_merge_into_the_whole(facts: list[Fact], split: int) -> None:
    """Outcomes of two cells with the same labels add up (`==`) to those of one cell with all predictions."""
    scheme = SCHEMES["binary"]
    known = [fact for fact in facts if fact.is_label]
    total = Outcomes.of(scheme)
    for wanted in (True, False):
        part = [fact for fact in facts if not fact.is_label and (fact.id < split) is wanted]
        total.merge(plain([*part, *known], scheme, "binary"))
    assert total == plain(facts, scheme, "binary")


@pytest.mark.parametrize("task", sorted(SCHEMES))
def test_a_withdrawn_label_leaves_nothing(task: str) -> None:
    """A label that is withdrawn, and a prediction without one, count the same."""
    scheme = SCHEMES[task]
    said = Fact(is_label=False, id=1, known_at=0, value=1, score=3)
    label = said._replace(is_label=True)
    gone = label._replace(known_at=1, value=None)
    assert plain([said, label, gone], scheme, task) == plain([said], scheme, task)
    assert plain([said, label], scheme, task) != plain([said], scheme, task)


def plain(facts: list[Fact], scheme: Scheme, task: str) -> Outcomes:
    """Sort, take the label in force of each id, join, and count once: the oracle."""
    vocabulary = Vocabulary()
    first: dict[int, Fact] = {}
    force: dict[int, tuple[int, int, Fact]] = {}
    for place, fact in enumerate(facts):
        if fact.is_label:
            rank = (fact.known_at, place, fact)
            force[fact.id] = max(force.get(fact.id, rank), rank, key=lambda one: one[:2])
        else:
            first.setdefault(fact.id, fact)
    found = Outcomes.of(scheme)
    for id_, said in sorted(first.items(), reverse=True):
        cell = Cell(START_MS, 0, scheme)
        cell.add(predictions([said], scheme), slice(None), vocabulary)
        cell.settle()
        labels = Labels()
        if id_ in force and force[id_][2].value is not None:
            labels.add(label_rows(truths([force[id_][2]], task), 0, 0, vocabulary))
            labels.settle()
        found.merge(joined(cell, labels, vocabulary))
    return found


def joined(cell: Cell, labels: Labels, vocabulary: Vocabulary) -> Outcomes:
    """Hold the predictions of a cell against the labels, as a worker does."""
    return outcomes_of(START_MS, cell.rows, labels.rows, cell.scheme, vocabulary.texts)


def test_a_segment_tells_its_values_apart() -> None:
    """Each value of a segment has the rows and labels that have it: levels, what is none of them, and none."""
    said = [Fact(is_label=False, id=id_, known_at=0, value=1, score=8) for id_ in range(8)]
    truth = [one._replace(is_label=True, value=1) for one in said[:6]]
    found = plain([*said, *truth], SCHEMES["binary"], "binary")
    region = {place: (one.predictions, one.labels) for place, one in found.groups["region"].items()}
    assert region == {0: (2, 2), 1: (2, 2), 2: (2, 1), 3: (2, 1)}
    assert {place: one.predictions for place, one in found.groups["missing"].items()} == {2: 8}
    assert found.groups["region"][0].confusion.tolist() == [[0, 0], [0, 2]]
    assert found.groups["region"][0].answers.tolist() == [[0, 0], [0, 2]]


def ids_of(facts: list[Fact]) -> np.ndarray:
    """Ids that differ in the half that is no key, too: uint8 (n, 16)."""
    ids = np.zeros((len(facts), 16), np.uint8)
    for row, fact in enumerate(facts):
        ids[row, 0 if fact.id % 2 else 15] = fact.id
    return ids


def predictions(facts: list[Fact], scheme: Scheme) -> PredictionColumns:
    """A batch of predictions."""
    scores = np.array([[fact.score / 8 / (1 + at) for fact in facts] for at in range(len(scheme.scores))])
    levels = tuple(sorted({str(fact.value) for fact in facts if fact.value is not None})) or ("none",)
    codes = np.array(
        [-1 if fact.value is None else levels.index(str(fact.value)) for fact in facts], np.int32
    )
    return PredictionColumns(
        "d",
        "1",
        "champion",
        len(facts),
        None,
        ids_of(facts),
        None,
        START_MS + np.array([fact.id for fact in facts], np.int64),
        scores=[NumericBlock(scheme.scores, scores)],
        predicted=Category("predicted", levels, codes),
        segments=[
            Category("region", ("2", "1", "0"), np.array([2 - fact.id % 4 for fact in facts], np.int32))
        ],
    )


def truths(facts: list[Fact], task: str) -> LabelColumns:
    """A batch of labels: numbers, or classes where an id is even."""
    withdrawn = np.array([fact.value is None for fact in facts])
    as_class = np.array([task != "regression" and fact.id % 2 == 0 for fact in facts]) & ~withdrawn
    numbers = np.array([float("nan") if fact.value is None else fact.value for fact in facts], float)
    codes = np.array(
        [-1 if not one else fact.value for fact, one in zip(facts, as_class, strict=True)], np.int32
    )
    return LabelColumns(
        "d",
        len(facts),
        None,
        ids_of(facts),
        None,
        START_MS + np.array([fact.known_at for fact in facts], np.int64),
        numbers=np.where(as_class, np.nan, numbers),
        classes=Category("classes", ("0", "1", "2", "3"), codes),
        withdrawn=withdrawn,
    )
