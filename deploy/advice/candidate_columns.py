"""Which columns of a candidate's table hold ids and answers: by a mapping, the live model's names, or their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from driftline.deploy.tables.errors import SHOWN, TableError
from driftline.deploy.tables.guess import ID_NAMES, PREDICTED_NAME, SCORE_NAME, guess, is_number
from driftline.deploy.tables.mapping import apply_mapping, read_mapping
from driftline.deploy.tables.scan import is_text, scan

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from driftline.deploy.tables.scan import Facts
    from driftline.deploy.tables.source import TableSource
    from driftline.streams.join.scheme import Scheme

Words = dict[str, dict[str, object]]
"""Column -> its keys, as `read_mapping` gives them."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of columns, and how many rows the table has; `predicted` holds classes, None without them."""

    id: str
    scores: tuple[str, ...]
    predicted: str | None
    rows: int

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [self.id, *self.scores, *([] if self.predicted is None else [self.predicted])]


def columns_of(source: TableSource, mapping: Path | None, scheme: Scheme) -> Columns:
    """Tell the columns of a table.

    A column is known by its name alone: one that is called an id or a score and holds something else is an error,
    not something else.

    Raises:
        TableError: there is no id or no answer, a score is no number, or several columns may be meant.
    """
    told = {} if mapping is None else read_mapping(mapping)
    facts = scan(source)
    words = {**_meant(facts, told, scheme), **told}
    _check_numbers(source.path.name, facts, words)
    plan = apply_mapping(guess(facts), words, facts)
    name, there = source.path.name, ", ".join(one.name for one in facts[:SHOWN])
    identifier, predicted = plan.one("id"), plan.one("predicted")
    if identifier is None:
        raise TableError(
            f"{name} has no column of prediction ids, only {there}: call it prediction_id, or name one in a mapping, "
            'as in [columns] booking = "id"'
        )
    scores = [one.name for one in plan.of("score")]
    if _has(told, "score"):
        scores = [one for one in scores if told.get(one, {}).get("role") == "score"]
    if not scores and predicted is None:
        raise TableError(
            f"{name} has no score and no predicted class, only {there}: call it {_called(scheme)}, or name one in a "
            'mapping, as in [columns] p = "score"'
        )
    plan.checked()
    said = None if predicted is None or scheme.task == "regression" else predicted.name
    return Columns(identifier.name, _chosen(name, scores, said, scheme), said, facts[0].rows)


def _meant(facts: Sequence[Facts], told: Words, scheme: Scheme) -> Words:
    """Give what names say, of roles that the mapping gives to no column."""
    words: Words = {}
    by_name = {one.name.lower(): one.name for one in reversed(facts)}
    identifier = next((by_name[name] for name in ID_NAMES if name in by_name), None)
    if identifier is not None and not _has(told, "id"):
        words[identifier] = {"role": "id"}
    for one in facts:
        role = "score" if one.name in scheme.scores else _role(one, scheme)
        is_taken = role == "predicted" and _has(words, role)
        if role and not is_taken and not _has(told, role) and one.name not in (*told, *words):
            words[one.name] = {"role": role}
    return words


def _role(one: Facts, scheme: Scheme) -> str:
    """Give what a column's own name says it answers; empty when it says nothing."""
    if SCORE_NAME.match(one.name):
        return "score"
    if not PREDICTED_NAME.match(one.name):
        return ""
    is_share = pa.types.is_floating(one.type) and not one.distinct <= {0.0, 1.0}
    return "score" if scheme.task == "regression" or is_share else "predicted"


def _has(words: Mapping[str, Mapping[str, object]], role: str) -> bool:
    return any(entry.get("role") == role for entry in words.values())


def _check_numbers(name: str, facts: Sequence[Facts], words: Words) -> None:
    """Refuse a score whose values are no numbers, by one of them."""
    for one in facts:
        is_able = is_number(one.type) or pa.types.is_boolean(one.type) or pa.types.is_null(one.type)
        if words.get(one.name, {}).get("role") != "score" or is_able:
            continue
        odd = sorted(value for value in one.distinct if is_text(one.type) and not _reads_as_number(value))
        held = repr(odd[0][:40]) if odd else f"values of type {one.type}"
        raise TableError(
            f"column {one.name!r} of {name} is a score and holds {held}, which is no number: give numbers, and leave "
            "rows without an answer out"
        )


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _chosen(name: str, scores: Collection[str], predicted: str | None, scheme: Scheme) -> tuple[str, ...]:
    """Choose the scores that stand for the live model's; none where classes are compared."""
    live = scheme.scores
    if live and all(one in scores for one in live):
        return live
    if len(live) == len(scores) == 1:
        return tuple(scores)
    if predicted is not None and not (live and scores):
        return ()
    held = f"has the scores {', '.join(sorted(scores)[:SHOWN])}" if scores else "has no score"
    answers = f"the scores {', '.join(live[:SHOWN])}" if live else "classes alone"
    raise TableError(
        f"{name} {held}, and the live model answers with {answers}: call the candidate's {_called(scheme)}"
    )


def _called(scheme: Scheme) -> str:
    """Say what columns of answers are to be called."""
    return " and ".join(scheme.scores[:SHOWN]) or "predicted"
