"""Estimates without labels: what adds exactly, what a shift does to them, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata

from driftline.streams.stats.class_calibration import (
    MOST_CLASSES,
    ClassCalibration,
    ClassCounts,
    class_calibration,
    class_reference,
    confusion_of,
    fold,
    normalised,
)
from driftline.streams.stats.confusion import accuracy_of, macro_f1_of
from driftline.streams.stats.estimate import Estimate
from driftline.streams.stats.estimate_binary import (
    BINARY_FIGURES,
    BinaryReference,
    binary_calibration,
    binary_counts,
    binary_reference,
    estimate_binary,
)
from driftline.streams.stats.estimate_classes import (
    CLASS_FIGURES,
    MISSED,
    estimate_classes,
    expected_confusion,
)

EDGES = np.arange(1, 100) / 100
Rows = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]


def two_classes(mean: float, rows: int, rng: np.random.Generator) -> Rows:
    """Draw over-confident scores of inputs around a mean, classes said and true."""
    logit = rng.normal(mean, 1.5, rows)
    scores = 1 / (1 + np.exp(-1.8 * logit))
    return (
        scores,
        (scores > 0.5).astype(np.int64),
        (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int64),
    )


def many_classes(classes: int, rows: int, rng: np.random.Generator, mean: float = 0.0) -> Rows:
    """Draw under-confident scores of many classes, classes said and true."""
    logit = rng.normal(mean, 1.0, (rows, 3)) @ np.random.default_rng(classes).normal(size=(3, classes))
    chances = np.exp(logit) / np.exp(logit).sum(axis=1, keepdims=True)
    truth = (chances.cumsum(axis=1)[:, :-1] < rng.random((rows, 1))).sum(axis=1)
    scores = np.exp(0.6 * logit) / np.exp(0.6 * logit).sum(axis=1, keepdims=True)
    return scores, scores.argmax(axis=1), truth


def calibrated(rows: Rows) -> ClassCalibration:
    """Calibrate many classes on rows."""
    reference = class_reference(*rows)
    assert reference is not None
    calibration = class_calibration(reference)
    assert calibration is not None
    return calibration


def estimate_of(reference: Rows, window: Rows) -> Estimate:
    """Estimate two classes over a hundred even bins."""
    calibration = binary_calibration(binary_reference(*reference, EDGES))
    assert calibration is not None
    return estimate_binary(calibration, binary_counts(*window[:2], EDGES))


def test_a_shifted_window_is_estimated_near_its_truth_and_away_from_the_reference() -> None:
    """Accuracy that a shift of inputs raises by 0.05 is estimated within 0.01, inside its interval."""
    rng = np.random.default_rng(5)
    reference, window = two_classes(0.0, 20_000, rng), two_classes(2.0, 50_000, rng)
    before, truth = (float((rows[1] == rows[2]).mean()) for rows in (reference, window))
    found = estimate_of(reference, window).of("accuracy")
    assert abs(truth - before) > 0.05
    assert found.value == pytest.approx(truth, abs=0.01)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= truth <= found.high


def test_intervals_hold_the_truth_of_95_percent_of_shifted_windows() -> None:
    """Of 200 windows, each shifted its own way, 93 to 97 % of accuracies and AUCs lie inside, within chance."""
    rng = np.random.default_rng(15)
    inside = np.zeros(2)
    for shift in rng.uniform(-1.5, 1.5, 200).tolist():
        window = two_classes(shift, 10_000, rng)
        found = estimate_of(two_classes(0.0, 10_000, rng), window)
        scores, said, truth = window
        ranked = (rankdata(scores)[truth == 1].mean() - (truth.sum() + 1) / 2) / (truth == 0).sum()
        for at, (name, value) in enumerate((("accuracy", (said == truth).mean()), ("auc", ranked))):
            figure = found.of(name)
            assert figure.low is not None
            assert figure.high is not None
            inside[at] += figure.low <= value <= figure.high
    # Two standard errors of 200 windows.
    assert (inside / 200 >= 0.93 - 0.036).all(), inside
    assert (inside / 200 <= 0.97 + 0.024).all(), inside


def test_the_reference_gets_its_own_figures_back() -> None:
    """The mix of the reference gives its own accuracy, precision and recall exactly."""
    rows = two_classes(0.3, 20_000, np.random.default_rng(6))
    found = estimate_of(rows, rows)
    _, said, truth = rows
    assert found.of("accuracy").value == pytest.approx((said == truth).mean(), abs=1e-12)
    assert found.of("precision").value == pytest.approx(truth[said == 1].mean(), abs=1e-12)
    assert found.of("recall").value == pytest.approx(said[truth == 1].mean(), abs=1e-12)


def test_the_same_counts_give_the_same_estimate() -> None:
    """Draws come from a seed, so that two computations of a window agree to the last bit."""
    rng = np.random.default_rng(7)
    reference, window = two_classes(0.0, 5_000, rng), two_classes(1.0, 5_000, rng)
    assert estimate_of(reference, window) == estimate_of(reference, window)


def test_scores_that_are_no_probabilities_have_no_losses() -> None:
    """A score past 1 leaves log loss and Brier score out, and keeps the others."""
    reference = BinaryReference(np.full((2, 2, 2), 50), np.array([0.4, 3.0]))
    calibration = binary_calibration(reference)
    assert calibration is not None
    found = [figure.metric for figure in estimate_binary(calibration, np.full((2, 2), 100)).figures]
    assert found == [name for name in BINARY_FIGURES if name not in {"log_loss", "brier"}]


def test_a_window_without_rows_has_no_figures() -> None:
    """Where nothing was predicted every figure is unknown, never 0."""
    calibration = binary_calibration(BinaryReference(np.full((2, 2, 2), 50), np.array([0.4, 0.8])))
    assert calibration is not None
    found = estimate_binary(calibration, np.zeros((2, 2), np.int64))
    assert found.rows == 0
    assert {figure.value for figure in found.figures} == {None}


def test_a_reference_without_labels_has_no_calibration() -> None:
    """Without a labelled row there is nothing to estimate from."""
    assert binary_calibration(BinaryReference(np.zeros((2, 2, 3), np.int64), np.zeros(3))) is None
    assert class_reference(np.zeros((0, 3)), np.zeros(0, np.int64), np.zeros(0, np.int64)) is None


def test_rows_that_cannot_be_counted_are_left_out() -> None:
    """Scores that are no finite number, and classes that are none of the model's, are not counted."""
    scores, said = np.array([0.2, np.nan, 0.7, np.inf, 0.9]), np.array([0, 1, -1, 1, 1])
    assert binary_counts(scores, said, EDGES).sum() == 2
    calibration = calibrated(many_classes(3, 2_000, np.random.default_rng(8)))
    rows, said = np.full((3, 3), 1 / 3), np.array([0, 3, -1])
    rows[0, 1] = np.nan
    counts = fold(calibration, rows, said)
    assert counts.top.sum() == 0
    assert not counts.sums.any()


def test_unseen_says_how_much_lies_where_the_reference_had_no_row() -> None:
    """A window above the whole reference is told apart from one inside it."""
    labelled = np.zeros((2, 2, 3), np.int64)
    labelled[:, :, 0] = 100
    calibration = binary_calibration(BinaryReference(labelled, np.array([0.2, 0.5, 0.8])))
    assert calibration is not None
    assert estimate_binary(calibration, [[30, 10, 0], [0, 0, 0]]).unseen == 0.25


def added(parts: list[ClassCounts]) -> ClassCounts:
    """Add counts up."""
    return ClassCounts(
        normalised(np.sum([part.sums for part in parts], axis=0)),
        np.sum([part.top for part in parts], axis=0),
    )


@pytest.mark.parametrize("classes", [2, 5, MOST_CLASSES, MOST_CLASSES + 5])
def test_folds_add_exactly_in_any_order_and_come_out_again(classes: int) -> None:
    """Rows folded at once, one by one, and shuffled in batches give equal arrays, and subtract to nothing."""
    rng = np.random.default_rng(classes)
    calibration = calibrated(many_classes(classes, 4_000, rng))
    scores, said, _ = many_classes(classes, 700, rng)
    whole = fold(calibration, scores, said)
    alone = added([fold(calibration, scores[at : at + 1], said[at : at + 1]) for at in range(len(said))])
    order = rng.permutation(len(said))
    cut = [fold(calibration, scores[part], said[part]) for part in np.array_split(order, 7)]
    for other in (alone, added(cut)):
        assert np.array_equal(whole.sums, other.sums)
        assert np.array_equal(whole.top, other.top)
    assert not normalised(whole.sums - alone.sums).any()


def test_a_row_adds_exactly_one_to_the_column_of_its_class() -> None:
    """Columns of the expected confusion sum to the rows predicted as each class, without rounding."""
    rng = np.random.default_rng(9)
    calibration = calibrated(many_classes(4, 4_000, rng))
    scores, said, _ = many_classes(4, 3_000, rng)
    columns = confusion_of(fold(calibration, scores, said).sums).sum(axis=0)
    assert columns.tolist() == np.bincount(said, minlength=4).tolist()


def test_the_expected_confusion_of_the_reference_is_the_one_it_counted() -> None:
    """The reference's mix gives back its confusion to two rows a cell, where dividing alone misses by dozens."""
    rows = many_classes(5, 30_000, np.random.default_rng(10))
    calibration = calibrated(rows)
    counts = fold(calibration, *rows[:2])
    counted = np.bincount(5 * rows[2] + rows[1], minlength=25).reshape(5, 5)
    assert np.abs(expected_confusion(calibration, counts) - counted).max() < 2
    assert np.abs(confusion_of(counts.sums) - counted).max() > 50


def test_many_classes_are_estimated_near_their_truth() -> None:
    """Accuracy and macro F1 of five classes under a shift are within 0.01 of the truth, inside their intervals."""
    rng = np.random.default_rng(11)
    calibration = calibrated(many_classes(5, 30_000, rng))
    scores, said, truth = many_classes(5, 60_000, rng, mean=0.7)
    found = estimate_classes(calibration, fold(calibration, scores, said))
    counted = np.bincount(5 * truth + said, minlength=25).reshape(5, 5)
    for name, value in (("accuracy", accuracy_of(counted)), ("f1", macro_f1_of(counted))):
        figure = found.of(name)
        assert figure.value == pytest.approx(value.item(), abs=0.01)
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low <= value.item() <= figure.high
    assert [figure.metric for figure in found.figures] == list(CLASS_FIGURES)


@pytest.mark.parametrize("classes", [5, MOST_CLASSES + 5])
def test_intervals_of_many_classes_allow_for_what_a_shift_hides(
    classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reference's mix an interval is that of rows alone; a moved mix widens it by what scores do not show."""
    rng = np.random.default_rng(14)
    calibration = calibrated(many_classes(classes, 30_000, rng))
    windows = [many_classes(classes, 30_000, rng, mean) for mean in (0.0, 1.5)]

    def errors() -> list[float]:
        estimates = [estimate_classes(calibration, fold(calibration, *rows[:2])) for rows in windows]
        return [found.of("accuracy").error or np.nan for found in estimates]

    still, moved = errors()
    monkeypatch.setattr("driftline.streams.stats.estimate_classes.MISSED", dict.fromkeys(MISSED, 0.0))
    still_of_rows, moved_of_rows = errors()
    assert still < 1.1 * still_of_rows
    assert moved > 1.3 * moved_of_rows


def test_a_class_that_the_reference_never_predicts_is_taken_as_all_are() -> None:
    """Its rows count as unseen, and are right as often as the others with such scores, not never."""
    rng = np.random.default_rng(13)
    scores, said, truth = many_classes(25, 20_000, rng)
    others = said != said[0]
    calibration = calibrated((scores[others], said[others], truth[others]))
    found = estimate_classes(calibration, fold(calibration, scores[~others], said[~others]))
    assert found.unseen == 1.0
    assert found.of("accuracy").value == pytest.approx((said == truth)[~others].mean(), abs=0.1)


def test_past_twenty_classes_only_accuracy_is_estimated() -> None:
    """With 25 classes nothing of K x K is kept, and accuracy comes from the score of the predicted class."""
    rng = np.random.default_rng(12)
    rows = many_classes(25, 20_000, rng)
    calibration = calibrated(rows)
    counts = fold(calibration, *rows[:2])
    assert counts.sums.size == 0
    assert counts.top.shape == (25, 32)
    found = estimate_classes(calibration, counts)
    assert [figure.metric for figure in found.figures] == ["accuracy"]
    assert found.of("accuracy").value == pytest.approx((rows[1] == rows[2]).mean(), abs=1e-9)


def test_an_estimate_is_the_same_whatever_was_estimated_before() -> None:
    """Rates drawn once serve all windows of a reference: each gets the draws that it alone would have got."""
    rng = np.random.default_rng(6)
    reference = binary_reference(*two_classes(0.0, 5_000, rng), EDGES)
    windows = [
        binary_counts(*two_classes(mean, rows, rng)[:2], EDGES) for mean, rows in ((0.0, 300), (2.0, 40))
    ]

    def alone(counts: NDArray[np.int64]) -> Estimate:
        calibration = binary_calibration(reference)
        assert calibration is not None
        return estimate_binary(calibration, counts)

    shared = binary_calibration(reference)
    assert shared is not None
    together = [estimate_binary(shared, counts) for counts in (*windows, *windows)]
    assert together == [alone(counts) for counts in (*windows, *windows)]
    assert together[0].of("auc").error != together[1].of("auc").error
