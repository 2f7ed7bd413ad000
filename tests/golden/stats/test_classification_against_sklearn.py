"""Figures of confusion counts equal scikit-learn's on the same raw rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from driftline.streams.stats.confusion import (
    accuracy_of,
    balanced_accuracy_error,
    balanced_accuracy_of,
    binary,
    class_figures_of,
    classification,
    f1_errors,
    macro_f1_error,
    macro_f1_of,
    mcc_error,
    mcc_of,
)

Labels = NDArray[np.int64]


def draw(classes: int, rows: int, positives: float | None = None) -> tuple[Labels, Labels]:
    """Draw true and predicted classes; 70 % agree. With `positives` the last class has that share."""
    rng = np.random.default_rng([classes, rows])
    shares = np.full(classes, 1 / classes) if positives is None else np.array([1 - positives, positives])
    truth = rng.choice(classes, rows, p=shares)
    return truth, np.where(rng.random(rows) < 0.7, truth, rng.integers(0, classes, rows))


def count(truth: Labels, said: Labels, classes: int) -> Labels:
    """Count pairs of classes."""
    return np.bincount(truth * classes + said, minlength=classes**2).reshape(classes, classes)


cases = pytest.mark.parametrize(
    ("classes", "positives"), [(2, 0.5), (2, 0.01), (2, 0.001), (2, 0.0), (3, None), (10, None)]
)


@cases
def test_counts_and_figures_equal_sklearn(classes: int, positives: float | None) -> None:
    """Counts agree exactly; accuracy, balanced accuracy, precision, recall, F1 to 1e-12."""
    truth, said = draw(classes, 50_000, positives)
    confusion = count(truth, said, classes)
    assert (confusion == metrics.confusion_matrix(truth, said, labels=range(classes))).all()
    found = classification(confusion)
    assert found.accuracy == metrics.accuracy_score(truth, said)
    present = np.unique(truth)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, said, labels=range(classes), zero_division=math.nan
    )
    for k, one in enumerate(found.classes):
        assert one.labels == support[k]
        assert one.predicted == (said == k).sum()
        assert one.hits == ((said == k) & (truth == k)).sum()
        for figure, expected in ((one.precision, precision), (one.recall, recall), (one.f1, f1)):
            wanted = None if math.isnan(expected[k]) else pytest.approx(expected[k], rel=1e-12)
            assert figure == wanted
    assert found.precision == pytest.approx(precision[present].mean(), rel=1e-12)
    assert found.recall == pytest.approx(recall[present].mean(), rel=1e-12)
    assert found.f1 == pytest.approx(f1[present].mean(), rel=1e-12)
    assert found.balanced_accuracy == pytest.approx(recall[present].mean(), rel=1e-12)


@pytest.mark.parametrize(("classes", "positives"), [(2, 0.5), (2, 0.01), (2, 0.001), (3, None), (10, None)])
def test_balanced_accuracy_and_mcc_equal_sklearn(classes: int, positives: float | None) -> None:
    """Where two classes have labels, both are scikit-learn's."""
    truth, said = draw(classes, 50_000, positives)
    found = classification(count(truth, said, classes))
    assert found.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(truth, said), rel=1e-12)
    assert found.mcc == pytest.approx(metrics.matthews_corrcoef(truth, said), rel=1e-9)


def test_the_positive_class_may_be_either() -> None:
    """Counts and figures of a binary confusion are seen from the class that is named."""
    truth, said = draw(2, 5_000, 0.1)
    confusion = count(truth, said, 2)
    (tn, fp), (fn, tp) = confusion.tolist()
    assert binary(confusion, 1)[:4] == (tp, fp, fn, tn)
    assert binary(confusion, 0)[:4] == (tn, fn, fp, tp)
    for positive in (0, 1):
        found = binary(confusion, positive)
        assert found.precision == pytest.approx(metrics.precision_score(truth, said, pos_label=positive))
        assert found.recall == pytest.approx(metrics.recall_score(truth, said, pos_label=positive))
        assert found.f1 == pytest.approx(metrics.f1_score(truth, said, pos_label=positive))
        other = metrics.recall_score(truth, said, pos_label=1 - positive)
        assert found.specificity == pytest.approx(other)


def test_nothing_counted_is_nothing_known() -> None:
    """An empty confusion has no figure at all, and no error."""
    empty = np.zeros((3, 3), np.int64)
    found = classification(empty)
    assert found[:7] == (0, None, None, None, None, None, None)
    assert all(one[3:] == (None, None, None) for one in found.classes)
    assert (macro_f1_error(empty), balanced_accuracy_error(empty), mcc_error(empty)) == (None, None, None)
    assert f1_errors(empty) == [None, None, None]


@pytest.mark.parametrize("confusion", [[[5, 3], [0, 0]], [[5, 0], [3, 0]]])
def test_mcc_needs_two_classes_on_both_sides(confusion: list[list[int]]) -> None:
    """With one class true, or one predicted, MCC is unknown."""
    assert classification(confusion).mcc is None
    assert mcc_error(confusion) is None


def test_a_class_never_predicted_has_no_precision_and_an_f1_of_zero() -> None:
    """Its precision is left out of the macro mean; its F1, which is known to be 0, is not."""
    found = classification([[5, 0], [3, 0]])
    assert found.classes[1][3:] == (None, 0.0, 0.0)
    assert found.precision == 5 / 8
    assert found.f1 == pytest.approx((10 / 13) / 2)


def test_a_class_without_labels_counts_in_no_macro_figure() -> None:
    """Rows predicted as a class that no label has lower the others' recall, and no more."""
    found = classification([[8, 0, 2], [0, 9, 1], [0, 0, 0]])
    assert found.balanced_accuracy == pytest.approx(0.85)
    assert found.precision == 1.0


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_errors_are_those_of_leaving_out_a_row(classes: int) -> None:
    """The delta method agrees with the jackknife over rows, done cell by cell."""
    counts = count(*draw(classes, 20_000), classes)
    rows = counts.sum()
    cells = np.array(
        [counts - one for one in np.eye(classes**2, dtype=np.int64).reshape(-1, classes, classes)]
    )

    def jackknife(figure: NDArray[np.float64]) -> float:
        weight = counts.ravel() / rows
        centre = (weight * figure).sum()
        return math.sqrt((rows - 1) * (weight * (figure - centre) ** 2).sum())

    assert macro_f1_error(counts) == pytest.approx(jackknife(macro_f1_of(cells)), rel=2e-3)
    assert mcc_error(counts) == pytest.approx(jackknife(mcc_of(cells)), rel=2e-3)
    assert balanced_accuracy_error(counts) == pytest.approx(jackknife(balanced_accuracy_of(cells)), rel=2e-3)
    for k, error in enumerate(f1_errors(counts)):
        assert error == pytest.approx(jackknife(class_figures_of(cells).f1[:, k]), rel=2e-3)


def test_many_matrices_at_once_are_each_by_itself() -> None:
    """The vectorised figures give of a stack what they give of each."""
    stack = np.array([count(*draw(3, rows), 3) for rows in (100, 500, 2_000)])
    for figure in (accuracy_of, balanced_accuracy_of, macro_f1_of, mcc_of):
        assert figure(stack).tolist() == [figure(one).item() for one in stack]


def test_counts_beyond_the_square_of_an_int64() -> None:
    """Ten thousand million rows overflow nothing."""
    small, large = np.array([[7, 1], [2, 5]]), np.array([[7, 1], [2, 5]]) * 10**12
    assert classification(large)[1:7] == pytest.approx(classification(small)[1:7], rel=1e-12)
    small_error, large_error = mcc_error(small), mcc_error(large)
    assert small_error is not None
    assert large_error == pytest.approx(small_error / 1e6)


def test_mcc_of_one_class_is_undefined_for_expected_counts_too() -> None:
    """Counts that are no whole numbers leave a rest of rounding where all rows are of one class: it is none."""
    rng = np.random.default_rng(5)
    for _ in range(200):
        expected = np.zeros((3, 3))
        expected[:, 1] = rng.random(3) * 1e6
        assert np.isnan(mcc_of(expected))
        assert np.isnan(mcc_of(expected.T))
