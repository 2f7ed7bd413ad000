"""Estimate of two classes: from counts per predicted class and score bin alone, which add exactly.

    expected positives of a cell = rows of the window in it * rate of the cell in the reference

A cell is a score bin and a predicted class; all figures follow from the expected positives. Each figure is a ratio
of expectations, whose difference from the expectation of the ratio falls as 1/rows. AUC takes a bin for one
score; log loss and Brier score take each row at the mean score of its bin in the reference, and are left out
where scores are no probabilities. What an estimate sees, and what its interval says: estimate.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from driftline.streams.stats.calibration import Calibration, calibrate
from driftline.streams.stats.confusion import accuracy_of, balanced_accuracy_of, class_figures_of, mcc_of
from driftline.streams.stats.estimate import DRAWS, SEED, Estimate, estimated
from driftline.streams.stats.losses import brier_terms, log_loss_terms
from driftline.streams.stats.ranking import auc_of
from driftline.streams.stats.shares import Array

if TYPE_CHECKING:
    from collections.abc import Mapping

BINARY_FIGURES: Final = (
    "accuracy",
    "balanced_accuracy",
    "mcc",
    "precision",
    "recall",
    "f1",
    "base_rate",
    "auc",
    "log_loss",
    "brier",
)
_HIGHEST: Final = {"log_loss": np.inf}
_LEAST: Final = {"mcc": -1.0}
_HELD: Final = 4
"""Calibrations whose drawn rates are kept: windows of one version are estimated one after the other."""


class BinaryReference(NamedTuple):
    """What is kept of a reference's labels: enough for every estimate of two classes."""

    labelled: NDArray[np.int64]
    """Rows with a label, (2, 2, B): [true class, predicted class, score bin]."""
    means: Array
    """Mean score of the reference rows of each bin, (B,); the middle of a bin without rows."""


@dataclass(frozen=True, slots=True, eq=False)
class BinaryCalibration:
    """A reference ready for estimates; made once a profile by `binary_calibration`."""

    rates: Calibration
    means: Array | None
    """Mean score of each bin, (B,); None when scores are no probabilities."""


def binary_reference(
    scores: ArrayLike, predicted: ArrayLike, truth: ArrayLike, edges: ArrayLike
) -> BinaryReference:
    """Count a reference's labelled rows; those whose score is no finite number are left out.

    Args:
        scores: of the positive class, (n,), as they travel. They must come from rows the model did not learn from.
        predicted: class of each row, 0 or 1, (n,); rows with any other number are left out.
        truth: alike.
        edges: of the score bins, ascending, (B - 1,); bin b is (edges[b - 1], edges[b]].

    >>> binary_reference([0.2, 0.7, 0.9], [0, 1, 1], [0, 0, 1], [0.5]).labelled.tolist()
    [[[1, 0], [0, 1]], [[0, 0], [0, 1]]]

    """
    score, label = np.asarray(scores, np.float64), np.asarray(truth)
    ends = np.asarray(edges, np.float64)
    labelled = np.stack(
        [binary_counts(score[label == k], np.asarray(predicted)[label == k], ends) for k in (0, 1)]
    )
    score = score[np.isfinite(score)]
    bins = np.searchsorted(ends, score, side="left")
    rows, size = np.bincount(bins, minlength=len(ends) + 1), len(ends) + 1
    low, high = np.concatenate([ends[:1], ends]), np.concatenate([ends, ends[-1:]])
    middle = (low + high) / 2 if len(ends) else np.full(1, 0.5)
    means = np.where(rows > 0, np.bincount(bins, score, minlength=size) / np.maximum(rows, 1), middle)
    return BinaryReference(labelled, means)


def binary_calibration(reference: BinaryReference) -> BinaryCalibration | None:
    """Learn the rates of a reference; None when it has no labelled row."""
    labelled = np.asarray(reference.labelled, np.int64)
    rates = calibrate(labelled[1].T, labelled.sum(axis=0).T)
    if rates is None:
        return None
    inside = ((reference.means >= 0) & (reference.means <= 1)).all()
    return BinaryCalibration(rates, reference.means if inside else None)


def binary_counts(scores: ArrayLike, predicted: ArrayLike, edges: ArrayLike) -> NDArray[np.int64]:
    """Count predictions, int64 (2, B): [predicted class, score bin]. Arguments as of `binary_reference`.

    >>> binary_counts([0.2, 0.7, 0.9], [0, 1, 1], [0.5]).tolist()
    [[1, 0], [0, 2]]

    """
    score, said = np.asarray(scores), np.asarray(predicted)
    ends = np.asarray(edges, np.float64)
    usable = np.isfinite(score) & ((said == 0) | (said == 1))
    if not usable.all():
        score, said = score[usable], said[usable]
    size = len(ends) + 1
    cell = np.searchsorted(ends, score, side="left") + size * said.astype(np.int64)
    return np.bincount(cell, minlength=2 * size).reshape(2, size)


def estimate_binary(
    calibration: BinaryCalibration, counts: ArrayLike, seed: int = SEED, draws: int = DRAWS
) -> Estimate:
    """Estimate the performance in a window.

    Args:
        calibration: the reference's, over B score bins.
        counts: predictions of the window, int (2, B): [predicted class, score bin]; of `binary_counts`.
        seed: of the draws of rates and labels.
        draws: number of draws for standard errors.

    Returns:
        All `BINARY_FIGURES` but the losses of scores that are no probabilities; a figure that is undefined, such
        as precision where nothing is predicted positive, has no value.

    >>> reference = BinaryReference(np.array([[[90, 0], [0, 20]], [[10, 0], [0, 80]]]), np.array([0.1, 0.8]))
    >>> found = estimate_binary(binary_calibration(reference), [[300, 0], [0, 100]])
    >>> [round(x, 3) for x in found.of("accuracy")[1:]]
    [0.875, 0.031, 0.814, 0.936]

    """
    total = np.asarray(counts, np.int64).T
    # Bins without rows change no figure, and a day has rows in a third of them; one is left where none has any.
    there: NDArray[np.bool_] = total.sum(axis=1) > 0
    there[0] |= not there.any()
    total, rate_of = total[there], calibration.rates.rate_of[there]
    means = None if calibration.means is None else calibration.means[there]
    # Only cells with rows take part in the draws: most bins know one predicted class.
    cells = total > 0
    drawn = np.zeros((draws, *total.shape))
    rates, rng = _drawn_rates(calibration, seed, draws)
    drawn[:, cells] = rng.binomial(total[cells], rates[:, rate_of[cells]])
    values = _figures(total * calibration.rates.rates[there], total, means)
    spread = _figures(drawn, total, means)
    rows = int(total.sum())
    return Estimate(
        rows,
        float(total[~calibration.rates.seen[there]].sum() / rows) if rows else None,
        tuple(
            estimated(name, values[name].item(), spread[name], _LEAST.get(name, 0.0), _HIGHEST.get(name, 1.0))
            for name in BINARY_FIGURES
            if name in values
        ),
    )


def _drawn_rates(calibration: BinaryCalibration, seed: int, draws: int) -> tuple[Array, np.random.Generator]:
    """Draw the rates, (draws, rates), and give the generator that goes on: the same for every window."""
    rates, state = _kept_rates(calibration, seed, draws)
    rng = np.random.default_rng()
    rng.bit_generator.state = state
    return rates, rng


@lru_cache(maxsize=_HELD)
def _kept_rates(calibration: BinaryCalibration, seed: int, draws: int) -> tuple[Array, Mapping[str, Any]]:
    rng = np.random.default_rng(seed)
    rates = calibration.rates.drawn(draws, rng)
    return rates, rng.bit_generator.state


def _figures(positives: Array, rows: NDArray[np.int64], means: Array | None) -> dict[str, Array]:
    """Figures of the positives in each cell, (..., B, 2), of the rows of the cells, (B, 2); each (...)."""
    # Not sums along the last axis: NumPy takes thirty times as long for pairs.
    true = np.stack([positives[..., said].sum(axis=-1) for said in (0, 1)], axis=-1)
    bins, totals = positives[..., 0] + positives[..., 1], rows.sum(axis=1)
    confusion = np.stack([rows.sum(axis=0) - true, true], axis=-2)
    yes = class_figures_of(confusion)
    found = {
        "accuracy": accuracy_of(confusion),
        "balanced_accuracy": balanced_accuracy_of(confusion),
        "mcc": mcc_of(confusion),
        "precision": yes.precision[..., 1],
        "recall": yes.recall[..., 1],
        "f1": yes.f1[..., 1],
        "base_rate": true.sum(axis=-1) / (totals.sum() or np.nan),
        "auc": auc_of(bins, totals - bins).value,
    }
    if means is not None:
        for name, terms in (("log_loss", log_loss_terms), ("brier", brier_terms)):
            yes_loss, no_loss = (terms(means, np.full(len(means), label)) for label in (1, 0))
            found[name] = (bins @ yes_loss + (totals - bins) @ no_loss) / (totals.sum() or np.nan)
    return found
