"""Pairing: the predictions of a cell held against the labels in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.streams.join.keys import pairs
from driftline.streams.join.labels import NUMBER, WITHDRAWN
from driftline.streams.join.outcomes import Outcomes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from driftline.streams.join.cell import PredictionRows
    from driftline.streams.join.labels import LabelRows
    from driftline.streams.join.scheme import Scheme

_MS: Final = 1000.0


def outcomes_of(
    start_ms: int, rows: PredictionRows, labels: LabelRows, scheme: Scheme | None, texts: Sequence[str]
) -> Outcomes:
    """Count what predictions and their labels come to.

    Args:
        start_ms: start of the cell, ms since 1970.
        rows: predictions, sorted by id, one an id.
        labels: in force, sorted by id, one an id.
        scheme: how the two are held against each other; None while no profile is known.
        texts: the vocabulary that both are coded by.
    """
    found = _answers(rows, scheme, texts)
    found.merge(truths_of(start_ms, rows, labels, scheme, texts))
    return found


def _answers(rows: PredictionRows, scheme: Scheme | None, texts: Sequence[str]) -> Outcomes:
    """Count what predictions say, before any of their labels."""
    found = Outcomes.of(scheme)
    if scheme is None:
        found.predictions = len(rows)
        return found
    said = scheme.named_classes(rows.predicted, texts)
    found.add_answers(scheme, said, rows.scores)
    coarse = scheme.coarse
    for at, segment in enumerate(scheme.segments):
        for place, members in _members(rows.groups[at]):
            one = found.groups.setdefault(segment.name, {})[place] = Outcomes.of(coarse)
            one.add_answers(coarse, said[members], rows.scores[:, members])
    return found


def truths_of(
    start_ms: int, rows: PredictionRows, labels: LabelRows, scheme: Scheme | None, texts: Sequence[str]
) -> Outcomes:
    """Count what the labels of predictions come to, and not the predictions; arguments as `outcomes_of`."""
    found = Outcomes.of(scheme)
    mine, theirs = pairs(rows.key, rows.rest, labels.key, labels.rest)
    says = labels.code[theirs] != WITHDRAWN
    mine, theirs = mine[says], theirs[says]
    found.labels = len(mine)
    if not len(mine):
        return found
    events = start_ms + rows.after_ms[mine].astype(np.int64)
    found.add_delays((labels.known_at_ms[theirs] - events) / _MS)
    if scheme is None:
        return found
    scores = rows.scores[:, mine]
    truth, said = true_and_said(rows.take(mine), labels.take(theirs), scheme, texts)
    found.add_truth(scheme, truth, said, scores)
    coarse = scheme.coarse
    for at, segment in enumerate(scheme.segments):
        for place, members in _members(rows.groups[at, mine]):
            one = found.groups.setdefault(segment.name, {})[place] = Outcomes.of(coarse)
            one.labels += len(members)
            one.add_truth(coarse, truth[members], said[members], scores[:, members])
    return found


def true_and_said(
    rows: PredictionRows, labels: LabelRows, scheme: Scheme, texts: Sequence[str]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give what is true of predictions, and what they say, each with the label beside it; arguments as `outcomes_of`.

    Returns:
        Classes by their place in the scheme, int64 (n,), `UNKNOWN` for none; of a regression float64 (n,), else NaN.
    """
    if scheme.task == "regression":
        truth = np.where(labels.code == NUMBER, labels.number, np.nan)
        return truth, rows.scores[0].astype(np.float64) if scheme.scores else np.full(len(rows), np.nan)
    truth = scheme.true_classes(labels.code, labels.number, texts)
    return truth, scheme.named_classes(rows.predicted, texts)


def _members(places: NDArray[np.uint8]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Give each place that rows have, and those rows."""
    order = np.argsort(places, kind="stable")
    found, firsts = np.unique(places[order], return_index=True)
    yield from zip(found.tolist(), np.split(order, firsts[1:]), strict=True) if len(found) else ()
