"""Gain: what a candidate is better by than the live model, row against row, with an interval over days.

Both models are held against the same labels, so what makes a day hard is hard for both and falls out of the difference.
The figure is that of all rows; its interval over days leaves out one day of both models at a time (`over_days`), and
means also have the interval of independent rows of their difference: the wider of the two holds. Every gain is turned
so that above 0 the candidate is better.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.schemas.advice import Gain
from driftline.streams.stats.confusion import accuracy_of, balanced_accuracy_of, macro_f1_of
from driftline.streams.stats.intervals import Interval, of_mean, over_days
from driftline.streams.stats.losses import (
    brier_terms,
    brier_terms_of_classes,
    log_loss_terms,
    log_loss_terms_of_classes,
    mean_of,
)
from driftline.streams.stats.ranking import auc_of, average_precision_of
from driftline.streams.stats.shares import Array

if TYPE_CHECKING:
    from driftline.streams.advice.pairs import Answers, Counts, Floats, Pairs
    from driftline.streams.join.scheme import Scheme

BINS: Final = 2_048
"""Scores with no more distinct values have a bin each; others are cut at so many quantiles of both models."""
LEAST_ROWS: Final = 200
"""Pairs below which a gain is not known."""


def gains_of(pairs: Pairs, scheme: Scheme, candidate: str, least_rows: int = LEAST_ROWS) -> tuple[Gain, ...]:
    """Give the gain of a candidate on every figure that the task has.

    Args:
        pairs: the rows that both answered.
        scheme: how answers are held against truth.
        candidate: what it is called.
        least_rows: pairs below which nothing is known.

    Returns:
        Of two classes: log_loss, auc, average_precision, brier, accuracy, balanced_accuracy. Of more: log_loss and
        brier with a score a class, accuracy, balanced_accuracy, f1 (macro). Of numbers: mae, rmse. Empty with too few
        rows; a figure that is undefined is left out.
    """
    if len(pairs) < least_rows:
        return ()
    found = _Compared(pairs, candidate)
    if scheme.task == "regression":
        found.add_numbers()
    else:
        if len(pairs.live.scores) and len(pairs.candidate.scores):
            found.add_losses(binary=scheme.task == "binary")
        if scheme.task == "binary" and len(pairs.live.scores) and len(pairs.candidate.scores):
            found.add_ranking()
        found.add_classes(len(scheme.classes))
    return tuple(found.gains)


class _Compared:
    """Gains as they are found, and the day of each row as a number from 0 on."""

    def __init__(self, pairs: Pairs, candidate: str) -> None:
        self.pairs = pairs
        self.candidate = candidate
        days, self.day = np.unique(pairs.day, return_inverse=True)
        self.days = len(days)
        self.rows = np.bincount(self.day, minlength=self.days)
        self.gains: list[Gain] = []

    def add_losses(self, *, binary: bool) -> None:
        """Compare log loss and Brier score."""
        truth = self.pairs.truth.astype(np.int64)
        for name, of_two, of_many in (
            ("log_loss", log_loss_terms, log_loss_terms_of_classes),
            ("brier", brier_terms, brier_terms_of_classes),
        ):
            live, new = (
                of_two(np.clip(one.scores[0], 0.0, 1.0), truth) if binary else of_many(one.scores.T, truth)
                for one in (self.pairs.live, self.pairs.candidate)
            )
            self._of_terms(name, live - new)

    def add_ranking(self) -> None:
        """Compare AUC and average precision."""
        live, new = (self._ranked(one) for one in (self.pairs.live, self.pairs.candidate))
        statistics = [live[:, 1], live[:, 0], new[:, 1], new[:, 0]]

        for name, figure in (("auc", auc_of), ("average_precision", average_precision_of)):

            def better(p: Array, n: Array, p_new: Array, n_new: Array, figure: Callable = figure) -> Array:  # type: ignore[type-arg]
                return np.asarray(figure(p_new, n_new).value - figure(p, n).value, np.float64)

            self._of_days(name, better, statistics, None)

    def add_classes(self, size: int) -> None:
        """Compare what the confusion tells."""
        truth = self.pairs.truth.astype(np.int64)
        tables = []
        for one in (self.pairs.live, self.pairs.candidate):
            cell = (self.day * size + truth) * size + one.said
            count = np.bincount(cell, minlength=self.days * size * size)
            tables.append(count.reshape(self.days, size, size))
        hits = (self.pairs.candidate.said == truth).astype(np.float64) - (self.pairs.live.said == truth)
        figures = [("accuracy", accuracy_of), ("balanced_accuracy", balanced_accuracy_of)]
        figures += [("f1", macro_f1_of)] if size > 2 else []  # noqa: PLR2004 - of two classes F1 is that of one
        for name, figure in figures:

            def better(live: Array, new: Array, figure: Callable = figure) -> Array:  # type: ignore[type-arg]
                return np.asarray(figure(new) - figure(live), np.float64)

            self._of_days(name, better, tables, _of_rows(hits) if name == "accuracy" else None)

    def add_numbers(self) -> None:
        """Compare the errors of numbers."""
        truth = self.pairs.truth.astype(np.float64)
        live, new = (one.scores[0] - truth for one in (self.pairs.live, self.pairs.candidate))
        self._of_terms("mae", np.abs(live) - np.abs(new))
        squares = [np.bincount(self.day, weights=error**2, minlength=self.days) for error in (live, new)]

        def better(rows: Array, before: Array, after: Array) -> Array:
            return np.sqrt(mean_of(rows, before)) - np.sqrt(mean_of(rows, after))

        self._of_days("rmse", better, [self.rows, *squares], None)

    def _of_terms(self, name: str, terms: Floats) -> None:
        """Add the gain that is the mean of a difference a row."""
        sums = np.bincount(self.day, weights=terms, minlength=self.days)
        self._of_days(name, mean_of, [self.rows, sums], _of_rows(terms))

    def _of_days(
        self,
        name: str,
        figure: Callable[..., Array],
        statistics: list[Counts] | list[Floats] | list[Array],
        rows: Interval | None,
    ) -> None:
        totals = [one.sum(axis=0, keepdims=True).astype(np.float64) for one in statistics]
        value = float(np.asarray(figure(*totals)).item())
        if not np.isfinite(value):
            return
        interval = over_days(figure, statistics, rows)
        low, high, kind = (None, None, "") if interval is None else interval
        self.gains.append(
            Gain(
                candidate=self.candidate,
                metric=name,
                value=value,
                low=low,
                high=high,
                interval=kind,
                rows=len(self.pairs),
                days=self.days,
            )
        )

    def _ranked(self, answers: Answers) -> Counts:
        """Count rows per day, class and bin of the score, int64 (days, 2, bins)."""
        score, truth = answers.scores[0], self.pairs.truth.astype(np.int64)
        distinct = np.unique(score)
        if len(distinct) > BINS:
            distinct = np.unique(np.quantile(score, np.arange(1, BINS) / BINS))
        at = np.searchsorted(distinct, score, side="left")
        bins = len(distinct) + 1
        cell = (self.day * 2 + truth) * bins + at
        return np.bincount(cell, minlength=self.days * 2 * bins).reshape(self.days, 2, bins)


def _of_rows(terms: Floats) -> Interval | None:
    """Interval of the mean of independent terms."""
    return of_mean(len(terms), float(terms.sum()), float((terms**2).sum()))
