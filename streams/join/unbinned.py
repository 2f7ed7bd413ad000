"""Unbinned: the figures of one window from its joined rows as they are, so that AUC and average precision are exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.performance import performance_figures
from driftline.streams.join.scheme import UNKNOWN
from driftline.streams.stats.ranking import auc, average_precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from driftline.schemas.window import Figure
    from driftline.streams.join.scheme import Scheme

METRICS: Final = ("auc", "average_precision", "log_loss", "brier", "mae", "rmse", "bias")
"""What is told of joined rows; the others are the same whether they come from bins or from rows."""


class Unbinned:
    """The joined rows of one window, as far as its figures need them: 9 bytes a labelled row of a binary task.

    Args:
        scheme: how answers are held against truth.
    """

    def __init__(self, scheme: Scheme) -> None:
        self._scheme = scheme
        self._outcomes = Outcomes.of(scheme)
        self._scores: list[NDArray[np.float64]] = []
        self._positive: list[NDArray[np.bool_]] = []

    @property
    def predictions(self) -> int:
        """Predictions met, labelled or not."""
        return self._outcomes.predictions

    @property
    def labels(self) -> int:
        """Of them those with a label."""
        return self._outcomes.labels

    @property
    def outcomes(self) -> Outcomes:
        """What the rows add up to."""
        return self._outcomes

    def add_unlabelled(self, rows: int) -> None:
        """Count predictions whose truth is not known."""
        self._outcomes.predictions += rows

    def add_answers(self, truth: NDArray[Any], said: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        """Take joined rows whose classes are known by their place in the scheme.

        Args:
            truth: int64 (n,) of classes, `UNKNOWN` for none; float64 (n,) of numbers.
            said: int64 (n,), the class that each prediction says, `UNKNOWN` for none; of numbers nothing is read.
            scores: (S, n), by `scheme.scores`; NaN for none.
        """
        rows, outcomes, scheme = len(truth), self._outcomes, self._scheme
        outcomes.predictions += rows
        outcomes.labels += rows
        if scheme.task == "regression":
            outcomes.add_numbers(truth, scores[0] if len(scores) else np.full(rows, np.nan))
            return
        outcomes.add_classes(scheme, truth, said, scores)
        if scheme.task == "binary" and len(scores):
            usable = (truth != UNKNOWN) & np.isfinite(scores[0])
            self._scores.append(scheme.travelled(scores[0][usable]))
            self._positive.append(truth[usable] == 1)

    def figures(self) -> list[Figure]:
        """Give those of `METRICS` that the task has, with `low` and `high` equal to the value; undefined is None."""
        found = [
            figure
            for figure in performance_figures(self._scheme, self._outcomes)
            if figure.metric in METRICS and not (figure.feature or figure.segment)
        ]
        ranks = self._ranks()
        for figure in found:
            if figure.metric in ranks:
                figure.value = ranks[figure.metric]
            figure.low = figure.high = figure.value
            figure.interval = "exact"
        return found

    def _ranks(self) -> dict[str, float | None]:
        """AUC and average precision with a bin for each score there is, in which nothing is hidden."""
        if not self._scores:
            return {}
        distinct, at = np.unique(np.concatenate(self._scores), return_inverse=True)
        positive = np.concatenate(self._positive)
        yes, no = (np.bincount(at[positive == is_yes], minlength=len(distinct)) for is_yes in (True, False))
        atoms = np.ones(len(distinct), np.bool_)
        found = {"auc": auc(yes, no, atoms), "average_precision": average_precision(yes, no, atoms)}
        return {name: None if bounds is None else bounds.value for name, bounds in found.items()}
