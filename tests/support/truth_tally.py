"""What joined rows of a window come to, counted in plain Python: an oracle that knows nothing of `streams/join/`.

Only the terms of single rows (losses, bins of delays, expected classes) come from the kernels of `streams/stats/`,
which have golden tests of their own; what this holds is which rows are joined, and what they add up to.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from truth_models import Model

from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.scheme import Scheme
from driftline.streams.stats.class_calibration import fold
from driftline.streams.stats.losses import (
    brier_terms,
    brier_terms_of_classes,
    log_loss_terms,
    log_loss_terms_of_classes,
)
from driftline.streams.windows.kernel import LATENCY_BINS
from driftline.streams.windows.latency import latency_bins

POINT = 1126
"""Sums are whole numbers in 2**-1126."""
TENTHS = [tenth / 10 for tenth in range(1, 10)]

Tally = dict[str, Any]


@dataclass(slots=True)
class Row:
    """One prediction that counts, and its label in force.

    Attributes:
        time_ms: event time.
        scores: by the model's names, as Python floats.
        region: value of the segment; None for none.
        truth: a class or a number; None without a label, or for one that is withdrawn.
        known_ms: when the label became known.
    """

    time_ms: int
    scores: list[float]
    region: str | None
    truth: str | float | None = None
    known_ms: int = 0


class Counter:
    """Counts rows of one version of a model.

    Args:
        model: what its answers are.
        scheme: whose edges of bins, levels and calibration the product counts with: they come from the profile.
        rows: all that count.
    """

    def __init__(self, model: Model, scheme: Scheme, rows: list[Row]) -> None:
        self._model, self._scheme, self._rows = model, scheme, rows
        scores = np.array([row.scores for row in rows], np.float64).reshape(len(rows), len(model.scores))
        self._scores = scores
        self._true = [self._class_of(row.truth) for row in rows]
        self._said = [self._said_of(row.scores) for row in rows]
        self._terms = self._terms_of(scores)

    def count(self, members: list[int], *, segments: bool = True) -> Tally:
        """Give the tally of some rows; without segments as windows of five minutes are counted."""
        found = self._part(members, self._scheme.edges.tolist(), with_estimate=True)
        found["delays"] = self._delays(members)
        if segments:
            levels = self._scheme.segments[0].levels
            by_place: dict[int, list[int]] = defaultdict(list)
            for at in members:
                region = self._rows[at].region
                known = levels.index(region) if region in levels else len(levels)
                by_place[len(levels) + 1 if region is None else known].append(at)
            coarse = self._scheme.coarse_edges.tolist()
            found["groups"] = {
                "region": {
                    place: self._part(mine, coarse, with_estimate=False) for place, mine in by_place.items()
                }
            }
        return found

    def _part(self, members: list[int], edges: list[float], *, with_estimate: bool) -> Tally:
        size, task = len(self._model.classes), self._model.task
        bins = len(edges) + 1 if task == "binary" else 0
        labelled = [at for at in members if self._rows[at].truth is not None]
        known = [at for at in labelled if self._true[at] is not None]
        usable = [at for at in known if np.isfinite(self._scores[at]).all()]
        confusion = np.zeros((size, size), np.int64)
        cells = np.zeros((2, 2, bins), np.int64)
        answers: Any = np.zeros((2, bins) if task == "binary" else (0, 0), np.int64)
        expected: Any = np.zeros((2, 0, 0), np.int64)
        calibration = np.zeros((2, 10), np.int64)
        parts = [0] * 10
        sums = {name: sum(terms[at] for at in usable) for name, terms in self._terms.items()}
        if task != "regression":
            for at in known:
                if self._said[at] is not None:
                    confusion[self._true[at], self._said[at]] += 1
        if task == "binary":
            for at in members:
                if self._said[at] is not None:
                    answers[self._said[at], bisect_left(edges, self._scores[at, 0])] += 1
            for at in usable:
                score = self._scores[at, 0]
                cells[self._true[at], self._said[at], bisect_left(edges, score)] += 1
                tenth = bisect_left(TENTHS, score)
                calibration[0, tenth] += 1
                calibration[1, tenth] += self._true[at] == 1
                parts[tenth] += whole(score)
        elif task == "classes" and with_estimate:
            said = np.array([-1 if self._said[at] is None else self._said[at] for at in members])
            assert self._scheme.calibration is not None
            counts = fold(self._scheme.calibration, self._scores[members], said)
            answers, expected = counts.top, counts.sums
        undecided = len(known) - (len(usable) if task == "regression" else int(confusion.sum()))
        return {
            "predictions": len(members),
            "labels": len(labelled),
            "unknown": len(labelled) - len(known),
            "undecided": undecided,
            "counted": len(usable),
            "nonzero": sum(self._true[at] != 0 for at in usable) if task == "regression" else 0,
            "confusion": confusion.tolist(),
            "cells": cells.tolist(),
            "calibration": calibration.tolist(),
            "answers": answers.tolist(),
            "expected": expected.tolist(),
            "calibration_sums": parts,
            "sums": sums,
            "delays": None,
            "groups": {},
        }

    def _class_of(self, truth: str | float | None) -> Any:
        """Give the index of a class, or the number of a regression; None for what is neither."""
        if self._model.task == "regression":
            return truth if isinstance(truth, float) else None
        text = f"{truth:g}" if isinstance(truth, float) else truth
        return self._model.classes.index(text) if text in self._model.classes else None

    def _said_of(self, scores: list[float]) -> int | None:
        if self._model.task == "regression" or any(np.isnan(scores)):
            return None
        return int(scores[0] > 0.5) if self._model.task == "binary" else scores.index(max(scores))

    def _terms_of(self, scores: NDArray[np.float64]) -> dict[str, list[int]]:
        """Give the terms of every row that has them, as whole numbers."""
        usable = [
            at for at, true in enumerate(self._true) if true is not None and np.isfinite(scores[at]).all()
        ]
        given = scores[usable]
        if self._model.task == "regression":
            y = np.array([self._true[at] for at in usable])
            e = given[:, 0] - y
            relative = np.where(y != 0, np.abs(e) / np.where(y != 0, np.abs(y), 1.0), 0.0)
            terms = {
                "error": e,
                "absolute": np.abs(e),
                "squared": e**2,
                "fourth": e**4,
                "target": y,
                "target_squared": y**2,
                "relative": relative,
                "relative_squared": relative**2,
            }
        else:
            true = np.array([self._true[at] for at in usable])
            if self._model.task == "binary":
                loss, brier = log_loss_terms(given[:, 0], true), brier_terms(given[:, 0], true)
            else:
                loss, brier = log_loss_terms_of_classes(given, true), brier_terms_of_classes(given, true)
            terms = {
                "log_loss": loss,
                "log_loss_squared": loss**2,
                "brier": brier,
                "brier_squared": brier**2,
            }
        found = {name: [0] * len(scores) for name in terms}
        for name, values in terms.items():
            for at, value in zip(usable, values.tolist(), strict=True):
                found[name][at] = whole(value)
        return found

    def _delays(self, members: list[int]) -> list[int] | None:
        late = [
            max((self._rows[at].known_ms - self._rows[at].time_ms) / 1000.0, 0.0)
            for at in members
            if self._rows[at].truth is not None
        ]
        return np.bincount(latency_bins(np.array(late)), minlength=LATENCY_BINS).tolist() if late else None


def whole(value: float) -> int:
    """Give a float as a whole number of 2**-1126."""
    top, bottom = float(value).as_integer_ratio()
    return top * (1 << POINT) // bottom


def tally_of(outcomes: Outcomes) -> Tally:
    """Give what the product counted in the same form."""
    counts = ("predictions", "labels", "unknown", "undecided", "counted", "nonzero")
    tables = ("confusion", "cells", "calibration", "answers", "expected")
    return {
        **{name: getattr(outcomes, name) for name in counts},
        **{name: getattr(outcomes, name).tolist() for name in tables},
        "calibration_sums": outcomes.calibration_sums,
        "sums": outcomes.sums,
        "delays": None if outcomes.delays is None else outcomes.delays.tolist(),
        "groups": {
            name: {place: tally_of(one) for place, one in values.items()}
            for name, values in outcomes.groups.items()
        },
    }
