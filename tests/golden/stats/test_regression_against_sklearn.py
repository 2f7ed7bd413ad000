"""Regression figures of sums equal scikit-learn's on the same raw rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from driftline.streams.stats.regression import (
    RegressionSums,
    pinball_terms,
    r2_of,
    regression,
    regression_terms,
    rmse_error,
    rmse_of,
)

Values = NDArray[np.float64]
STEP = 2.0**-40


def draw(mean: float = 3.0, rows: int = 50_000) -> tuple[Values, Values]:
    """Draw targets and predictions with a bias of a tenth."""
    rng = np.random.default_rng(abs(round(mean)))
    truth = rng.normal(mean, 2, rows)
    return truth, truth + rng.normal(0.1, 1, rows)


def total(truth: Values, prediction: Values, centre: float = 0.0) -> RegressionSums:
    """Sum the terms field by field."""
    return RegressionSums(*(field.sum() for field in regression_terms(truth, prediction, centre)))


@pytest.mark.parametrize("mean", [0.0, 3.0, 1e4, -1e6])
def test_figures_equal_sklearn(mean: float) -> None:
    """MAE, RMSE, R2 and MAPE agree to 1e-9, wherever the targets lie; bias is the mean error."""
    truth, prediction = draw(mean)
    found = regression(total(truth, prediction, mean))
    assert found.rows == 50_000
    assert found.mae == pytest.approx(metrics.mean_absolute_error(truth, prediction), rel=1e-9)
    assert found.rmse == pytest.approx(metrics.root_mean_squared_error(truth, prediction), rel=1e-9)
    assert found.r2 == pytest.approx(metrics.r2_score(truth, prediction), rel=1e-9)
    assert found.bias == pytest.approx((prediction - truth).mean(), rel=1e-9)
    assert found.mape == pytest.approx(metrics.mean_absolute_percentage_error(truth, prediction), rel=1e-9)


def test_targets_of_zero_are_left_out_of_mape_and_counted() -> None:
    """MAPE is scikit-learn's over the rows whose target is not 0."""
    truth, prediction = draw()
    truth[:17] = 0.0
    found = regression(total(truth, prediction))
    assert found.zero_targets == 17
    expected = metrics.mean_absolute_percentage_error(truth[17:], prediction[17:])
    assert found.mape == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.9])
def test_pinball_equals_sklearn(quantile: float) -> None:
    """The mean of the terms is scikit-learn's pinball loss."""
    truth, prediction = draw()
    expected = metrics.mean_pinball_loss(truth, prediction, alpha=quantile)
    assert pinball_terms(truth, prediction, quantile).mean() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("constant", [0.0, 0.1, 7.0, 12345.678])
def test_a_constant_target_has_no_r2(constant: float) -> None:
    """Where every target is the same R2 is unknown, with sums of floats and with rounded terms."""
    truth = np.full(30_001, constant)
    sums = total(truth, truth + 1)
    assert regression(sums).r2 is None
    assert regression(sums).mae == pytest.approx(1.0)
    near = np.full(30_001, 0.1 + constant / 1e5)
    terms = regression_terms(near, near + 1)
    rounded = [np.round(field / STEP).astype(np.int64) for field in (terms.target, terms.target_squared)]
    y, y_squared = (int(field.sum()) * STEP for field in rounded)
    assert regression(sums._replace(target=y, target_squared=y_squared), STEP).r2 is None


def test_a_target_that_hardly_moves_has_an_r2() -> None:
    """A spread of a millionth of the mean is still a spread."""
    truth, prediction = draw(1e6)
    assert not math.isnan(r2_of(total(truth * 2, prediction * 2)).item())


def test_one_row_and_none() -> None:
    """One row has errors and no R2; none has nothing."""
    one = regression(total(np.array([2.0]), np.array([3.0])))
    assert (one.mae, one.rmse, one.bias, one.r2, one.mape) == (1.0, 1.0, 1.0, None, 0.5)
    none = regression(total(np.zeros(0), np.zeros(0)))
    assert none == (0, None, None, None, None, None, 0)
    assert rmse_error(total(np.array([2.0]), np.array([3.0]))) is None


def test_sums_beyond_a_float_are_taken() -> None:
    """Integers of 80 bits, as exact sums come, give the figures of what they stand for."""
    truth, prediction = draw()
    terms = regression_terms(truth, prediction)
    exact = RegressionSums(
        *(
            int(field.sum())
            if field.dtype == np.int64
            else sum(int(term) for term in np.round(field * 2.0**60))
            for field in terms
        )
    )
    ints = exact._replace(rows=exact.rows << 60, relative_rows=exact.relative_rows << 60)
    expected, found = regression(total(truth, prediction)), regression(ints)
    assert found.mae == pytest.approx(expected.mae, rel=1e-12)
    assert found.rmse == pytest.approx(expected.rmse, rel=1e-12)
    assert found.mape == pytest.approx(expected.mape, rel=1e-12)


def test_the_error_of_rmse_is_that_of_leaving_out_a_row() -> None:
    """The delta method agrees with the jackknife over rows."""
    truth, prediction = draw(rows=3_000)
    sums, terms = total(truth, prediction), regression_terms(truth, prediction)
    without = rmse_of(RegressionSums(*(s - t for s, t in zip(sums, terms, strict=True))))
    jackknife = math.sqrt(2_999 / 3_000 * ((without - without.mean()) ** 2).sum())
    assert rmse_error(sums) == pytest.approx(jackknife, rel=2e-3)
