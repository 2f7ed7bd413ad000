"""Figures of joined rows as they are, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    mean_absolute_error,
    roc_auc_score,
    root_mean_squared_error,
)

from driftline.streams.join.scheme import UNKNOWN, Scheme
from driftline.streams.join.unbinned import Unbinned

BINARY = Scheme("d", "binary", ("no", "yes"), ("score",), edges=np.array([0.5]))
NUMBERS = Scheme("d", "regression", scores=("score",))


def none(rows: int) -> np.ndarray:
    """Predictions that name no class."""
    return np.full(rows, UNKNOWN)


@pytest.mark.parametrize("share", [0.5, 0.01, 0.001])
def test_ranks_equal_those_of_raw_scores(share: float) -> None:
    """AUC, average precision and losses are scikit-learn's to 1e-9, ties too, whatever the share of positives."""
    draw = np.random.default_rng(4)
    truth = draw.random(40_000) < share
    scores = np.clip(draw.normal(0.4 + 0.2 * truth, 0.2), 0, 1).round(3)
    rows = Unbinned(BINARY)
    for part in np.array_split(np.arange(len(truth)), 7):
        rows.add_answers(truth[part].astype(np.int64), none(len(part)), scores[None, part])
    rows.add_unlabelled(5)
    found = {figure.metric: figure for figure in rows.figures()}
    assert found["auc"].value == pytest.approx(roc_auc_score(truth, scores), rel=1e-9)
    assert found["average_precision"].value == pytest.approx(average_precision_score(truth, scores), rel=1e-9)
    assert found["log_loss"].value == pytest.approx(log_loss(truth, scores), rel=1e-9)
    assert found["brier"].value == pytest.approx(brier_score_loss(truth, scores), rel=1e-9)
    assert {(one.interval, one.low == one.value == one.high) for one in found.values()} == {("exact", True)}
    assert (rows.predictions, rows.labels) == (40_005, 40_000)


def test_errors_of_numbers_equal_those_of_raw_rows() -> None:
    """Of a regression MAE and RMSE are scikit-learn's; there is no AUC."""
    draw = np.random.default_rng(5)
    truth, said = draw.normal(size=(2, 1000))
    rows = Unbinned(NUMBERS)
    rows.add_answers(truth, none(1000), said[None, :])
    found = {figure.metric: figure.value for figure in rows.figures()}
    assert found.keys() == {"mae", "rmse", "bias"}
    assert found["mae"] == pytest.approx(mean_absolute_error(truth, said), rel=1e-9)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(truth, said), rel=1e-9)


def test_one_class_has_no_ranks() -> None:
    """Where every truth is the same, AUC is undefined and not 0; without a row everything is."""
    rows = Unbinned(BINARY)
    assert {figure.value for figure in rows.figures()} == {None}
    rows.add_answers(np.ones(2, np.int64), none(2), np.array([[0.2, 0.7]]))
    found = {figure.metric: figure.value for figure in rows.figures()}
    assert found["auc"] is None
    assert found["log_loss"] is not None
