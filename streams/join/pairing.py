"""Pairing: the predictions of a cell held against the labels in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.streams.join.keys import pairs
from driftline.streams.join.labels import NUMBER, WITHDRAWN
from driftline.streams.join.outcomes import Outcomes

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    found = Outcomes.of(scheme)
    found.predictions = len(rows)
    mine, theirs = pairs(rows.key, rows.rest, labels.key, labels.rest)
    says = labels.code[theirs] != WITHDRAWN
    mine, theirs = mine[says], theirs[says]
    found.labels = len(mine)
    if not len(mine):
        return found
    events = start_ms + rows.after_ms[mine].astype(np.int64)
    found.add_delays((labels.known_at_ms[theirs] - events) / _MS)
    code, number = labels.code[theirs], labels.number[theirs]
    if scheme is None:
        return found
    if scheme.task == "regression":
        truth = np.where(code == NUMBER, number, np.nan)
        said = rows.scores[0, mine].astype(np.float64) if len(rows.scores) else np.full(len(mine), np.nan)
        found.add_numbers(truth, said)
    else:
        truth_of = scheme.true_classes(code, number, texts)
        said_of = scheme.named_classes(rows.predicted[mine], texts)
        found.add_classes(scheme, truth_of, said_of, rows.scores[:, mine])
    return found
