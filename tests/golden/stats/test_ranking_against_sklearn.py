"""AUC and average precision of score bins, and losses, against scikit-learn on the same raw rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn import metrics

from driftline.streams.stats.losses import (
    EPSILON,
    brier_terms,
    brier_terms_of_classes,
    calibration_bins,
    calibration_error_of,
    log_loss_terms,
    log_loss_terms_of_classes,
    mean_of,
    skill_of,
)
from driftline.streams.stats.ranking import auc, auc_error, auc_of, average_precision, average_precision_of

Scores = NDArray[np.float64]
Counts = NDArray[np.int64]
TAIL = np.geomspace(1e-6, 0.05, 256)


def draw(positives: float, shift: float = 0.0, rows: int = 50_000) -> tuple[Scores, NDArray[np.bool_]]:
    """Draw scores of a sensible model and labels; at least 20 positives."""
    rng = np.random.default_rng([round(positives * 1e4), round(shift) + 1])
    label = np.zeros(rows, np.bool_)
    label[: max(round(rows * positives), 20)] = True
    return expit(rng.normal(size=rows) + 1.5 * label - 1 + shift), label


def reference_edges(positives: float) -> Scores:
    """Edges of score bins as a profile has them, of a reference without shift."""
    scores, _ = draw(positives)
    tails = np.concatenate([np.quantile(scores, TAIL), np.quantile(scores, 1 - TAIL)])
    return np.unique(
        np.concatenate([np.quantile(scores, np.arange(1, 512) / 512), tails, np.arange(1, 10) / 10])
    )


def count(scores: Scores, label: NDArray[np.bool_], edges: Scores) -> tuple[Counts, Counts]:
    """Count positives and negatives per bin (a, b]."""
    cell = np.searchsorted(edges, scores, side="left")
    return (
        np.bincount(cell[label], minlength=len(edges) + 1),
        np.bincount(cell[~label], minlength=len(edges) + 1),
    )


@pytest.mark.parametrize("positives", [0.5, 0.01, 0.001])
@pytest.mark.parametrize("shift", [0.0, 1.0, -1.0])
def test_sklearn_lies_within_tight_bounds(positives: float, shift: float) -> None:
    """AUC and average precision of the raw rows lie in their bounds; no wider than .004 and .06."""
    scores, label = draw(positives, shift)
    counts = count(scores, label, reference_edges(positives))
    area, precision = auc(*counts), average_precision(*counts)
    assert area is not None
    assert precision is not None
    assert area.low <= metrics.roc_auc_score(label, scores) <= area.high
    assert precision.low <= metrics.average_precision_score(label, scores) <= precision.high
    assert area.high - area.low < 0.004
    assert precision.high - precision.low < 0.06


@pytest.mark.parametrize("positives", [0.5, 0.01, 0.001])
def test_the_value_is_sklearns_of_the_bins(positives: float) -> None:
    """Scores that are bins leave nothing open: the value is scikit-learn's to 1e-12, the bounds meet it."""
    scores, label = draw(positives)
    edges = np.arange(1, 40) / 40
    cell = np.searchsorted(edges, scores, side="left")
    positive, negative = count(scores, label, edges)
    atoms = np.ones(len(positive), np.bool_)
    area, precision = auc(positive, negative, atoms), average_precision(positive, negative, atoms)
    assert area is not None
    assert precision is not None
    assert area.value == pytest.approx(metrics.roc_auc_score(label, cell), abs=1e-12)
    assert precision.value == pytest.approx(metrics.average_precision_score(label, cell), abs=1e-12)
    assert area.low == area.value == area.high
    assert precision.low == precision.value == precision.high


def orders(positive: Counts, negative: Counts) -> tuple[list[tuple[Scores, Counts]], Scores]:
    """Lay out raw rows that realise the worst and best order of AUC, then of average precision."""
    found = []
    for steps in ((0, -1), (0, 1), (1, -1), (-1, 1)):
        of_positive, of_negative = steps
        scores, label = [], []
        for b, (p, n) in enumerate(zip(positive.tolist(), negative.tolist(), strict=True)):
            inner = np.linspace(0.1, 0.2, p) if of_positive == 1 else np.full(p, 0.15)
            scores += [*(b + inner), *np.full(n, b + 0.15 - of_negative * 0.1)]
            label += [1] * p + [0] * n
        found.append((np.array(scores), np.array(label)))
    return found, np.zeros(0)


@pytest.mark.parametrize("scale", [1, 40])
def test_some_order_of_the_rows_reaches_each_bound(scale: int) -> None:
    """Bounds are tight: scikit-learn gives exactly them on rows laid out in the worst and the best order."""
    rng = np.random.default_rng(scale)
    positive, negative = rng.integers(0, 5 * scale, 12), rng.integers(0, 9 * scale, 12)
    (worst, best, worst_steps, best_steps), _ = orders(positive, negative)
    area, precision = auc(positive, negative), average_precision(positive, negative)
    assert area is not None
    assert precision is not None
    assert area.low == pytest.approx(metrics.roc_auc_score(worst[1], worst[0]), abs=1e-12)
    assert area.high == pytest.approx(metrics.roc_auc_score(best[1], best[0]), abs=1e-12)
    low = metrics.average_precision_score(worst_steps[1], worst_steps[0])
    assert precision.low == pytest.approx(low, abs=1e-11)
    assert precision.high == pytest.approx(
        metrics.average_precision_score(best_steps[1], best_steps[0]), abs=1e-12
    )


def test_the_least_average_precision_of_large_counts() -> None:
    """The closed form of the worst order is the plain sum over positives, from one row to a million."""
    positive, negative = np.array([3, 700, 2, 50]), np.array([10**6, 90, 10**5, 1])
    found = average_precision(positive, negative)
    assert found is not None
    plain, p_above, n_above = 0.0, 0, 0
    for p, n in zip(positive[::-1].tolist(), negative[::-1].tolist(), strict=True):
        plain += sum((p_above + i) / (p_above + i + n_above + n) for i in range(1, p + 1))
        p_above, n_above = p_above + p, n_above + n
    assert found.low == pytest.approx(plain / p_above, rel=1e-12)


@pytest.mark.parametrize(("positive", "negative"), [([0, 0], [3, 4]), ([3, 4], [0, 0]), ([0, 0], [0, 0])])
def test_one_class_has_no_ranking(positive: list[int], negative: list[int]) -> None:
    """Without positives or without negatives there is neither figure, nor an error."""
    assert auc(positive, negative) is None
    assert average_precision(positive, negative) is None
    assert auc_error(positive, negative) is None


def test_delong_of_bins_is_delong_of_raw_rows() -> None:
    """The error equals the one of placements computed row by row, bins being the scores."""
    rng = np.random.default_rng(5)
    x, y = rng.integers(2, 12, 60), rng.integers(0, 10, 200)
    above = (x[:, None] > y).astype(float) + 0.5 * (x[:, None] == y)
    variance = above.mean(axis=1).var(ddof=1) / 60 + above.mean(axis=0).var(ddof=1) / 200
    found = auc_error(np.bincount(x, minlength=12), np.bincount(y, minlength=12))
    assert found == pytest.approx(math.sqrt(variance), rel=1e-12)


def test_many_rows_of_bins_at_once_are_each_by_itself() -> None:
    """The vectorised figures give of a stack what they give of each row."""
    rng = np.random.default_rng(6)
    p, n = rng.integers(0, 9, (2, 5, 30))
    for figure in (auc_of, average_precision_of):
        for all_of_them, each in zip(figure(p, n), zip(*map(figure, p, n), strict=True), strict=True):
            assert all_of_them.tolist() == pytest.approx([one.item() for one in each], abs=1e-15)


@pytest.mark.parametrize("positives", [0.5, 0.01, 0.001])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_losses_equal_sklearn(positives: float, shift: float) -> None:
    """Log loss, its skill and the Brier score agree to 1e-9, scores of 0 and 1 among the rows."""
    scores, label = draw(positives, shift)
    scores[-4:], label[-4:] = (0.0, 1.0, 0.0, 1.0), (False, True, True, False)
    loss = log_loss_terms(scores, label).sum()
    expected = metrics.log_loss(label, scores)
    assert mean_of(len(label), loss).item() == pytest.approx(expected, rel=1e-9)
    base = metrics.log_loss(label, np.full(len(label), label.mean()))
    tally = np.bincount(label.astype(int), minlength=2)
    assert skill_of(loss, tally).item() == pytest.approx(1 - expected / base, rel=1e-9, abs=1e-9)
    brier = brier_terms(scores, label).mean()
    assert brier == pytest.approx(metrics.brier_score_loss(label, scores), rel=1e-9)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_losses_of_classes_equal_sklearn(classes: int) -> None:
    """With K classes log loss and Brier score agree to 1e-9."""
    rng = np.random.default_rng(classes)
    scores = softmax(rng.normal(size=(20_000, classes)), axis=1)
    label = rng.integers(0, classes, 20_000)
    loss = log_loss_terms_of_classes(scores, label).mean()
    assert loss == pytest.approx(metrics.log_loss(label, scores), rel=1e-9)
    brier = metrics.brier_score_loss(label, scores, labels=range(classes), scale_by_half=False)
    assert brier_terms_of_classes(scores, label).mean() == pytest.approx(brier, rel=1e-9)


def test_a_certain_mistake_costs_the_epsilon() -> None:
    """A score of 0 for a positive, or of 1 for a negative, costs -ln of the float64 epsilon, and is finite."""
    assert log_loss_terms([0.0, 1.0], [1, 0]) == pytest.approx([-math.log(EPSILON)] * 2, rel=1e-12)


def test_skill_needs_two_classes() -> None:
    """Of one class, or of nothing, there is no skill."""
    assert math.isnan(skill_of(1.0, [5, 0]).item())
    assert math.isnan(skill_of(0.0, [0, 0]).item())


def test_calibration_error_is_that_of_plain_loops() -> None:
    """ECE from sums per bin is the weighted gap of mean score and rate, bin by bin."""
    scores, label = draw(0.3, 0.7, 5_000)
    scores[:9] = np.arange(1, 10) / 10
    bins = calibration_bins(scores)
    plain = 0.0
    for k in range(10):
        inside = (scores > k / 10) & (scores <= (k + 1) / 10)
        plain += inside.mean() * abs(label[inside].mean() - scores[inside].mean())
        assert (bins == k).sum() == inside.sum()
    sums = [np.bincount(bins, weights=weight, minlength=10) for weight in (np.ones(5_000), label, scores)]
    assert calibration_error_of(*sums).item() == pytest.approx(plain, rel=1e-12)


def test_calibration_error_of_nothing_is_unknown() -> None:
    """Ten empty bins have no error."""
    assert math.isnan(calibration_error_of(np.zeros(10), np.zeros(10), np.zeros(10)).item())
