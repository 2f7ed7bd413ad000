"""Regression figures of sums: how far predictions lie from the truth.

    e = prediction - y          MAE = mean |e|       RMSE = sqrt(mean e^2)       bias = mean e
    R^2 = 1 - sum e^2 / sum (y - mean y)^2           MAPE = mean |e / y| over y != 0

MAE, RMSE and bias are in the unit of y, positive bias says predictions are too high; R^2 is unitless and at most
1; MAPE is a share, not a percentage. Sources: Wright 1921, "Correlation and causation" (R^2); Koenker and
Bassett 1978, "Regression quantiles" (pinball loss).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.streams.stats.shares import Array, defined
from driftline.streams.stats.sums import Sum, centred_squares, floats


class RegressionSums(NamedTuple):
    """Sums over rows, or per row when the fields are arrays: terms, which are summed field by field."""

    rows: Sum
    error: Sum
    """Sum of e = prediction - y."""
    absolute: Sum
    squared: Sum
    fourth: Sum
    """Sum of e^4, for the interval of RMSE."""
    target: Sum
    """Sum of y, or of y - c about any fixed centre c; the next field about the same one."""
    target_squared: Sum
    relative_rows: Sum
    """Rows with y != 0."""
    relative: Sum
    """Sum of |e / y| over these."""
    relative_squared: Sum


class Regression(NamedTuple):
    """Figures of one set of sums; None where one is undefined."""

    rows: int
    mae: float | None
    rmse: float | None
    bias: float | None
    r2: float | None
    mape: float | None
    zero_targets: int
    """Rows with y = 0, which MAPE leaves out."""


def regression_terms(truth: ArrayLike, prediction: ArrayLike, centre: float = 0.0) -> RegressionSums:
    """Terms of every row, each field of shape (n,).

    Args:
        truth: y, finite, shape (n,).
        prediction: what the model said, shape (n,).
        centre: taken from y in `target` and `target_squared`, so that they keep digits; the reference's mean.

    """
    y = np.asarray(truth, np.float64)
    e = np.asarray(prediction, np.float64) - y
    nonzero = y != 0
    relative = np.where(nonzero, np.abs(e) / np.where(nonzero, np.abs(y), 1.0), 0.0)
    return RegressionSums(
        np.ones(y.shape, np.int64),
        e,
        np.abs(e),
        e**2,
        e**4,
        y - centre,
        (y - centre) ** 2,
        nonzero.astype(np.int64),
        relative,
        relative**2,
    )


def pinball_terms(truth: ArrayLike, prediction: ArrayLike, quantile: float) -> Array:
    """Pinball loss of each row for an output declared to be the quantile, 0 < quantile < 1; unit of y.

    >>> pinball_terms([3.0, 1.0], [1.0, 3.0], 0.9).round(12).tolist()
    [1.8, 0.2]

    """
    below = np.asarray(truth, np.float64) - np.asarray(prediction, np.float64)
    return np.maximum(quantile * below, (quantile - 1) * below)


def regression(sums: RegressionSums, step: float = 0.0) -> Regression:
    """Every figure of one set of sums.

    Args:
        sums: sums in the unit of y (and its powers): numbers, of any size.
        step: what each term of y and y^2 was rounded to, 0 when it was not; see `r2_of`.

    >>> terms = regression_terms([1.0, 2.0, 0.0], [2.0, 2.0, 1.0])
    >>> found = regression(RegressionSums(*(field.sum() for field in terms)))
    >>> found.r2, found.mape, found.zero_targets
    (0.0, 0.5, 1)

    """
    return Regression(
        int(sums.rows),
        defined(mae_of(sums).item()),
        defined(rmse_of(sums).item()),
        defined(bias_of(sums).item()),
        defined(r2_of(sums, step).item()),
        defined(mape_of(sums).item()),
        int(sums.rows) - int(sums.relative_rows),
    )


def mae_of(sums: RegressionSums) -> Array:
    """Mean absolute error, shape (...); NaN without rows."""
    return _mean(sums.absolute, sums.rows)


def rmse_of(sums: RegressionSums) -> Array:
    """Root mean squared error, shape (...); NaN without rows."""
    return np.sqrt(_mean(sums.squared, sums.rows))


def bias_of(sums: RegressionSums) -> Array:
    """Mean error, prediction minus truth, shape (...); NaN without rows."""
    return _mean(sums.error, sums.rows)


def mape_of(sums: RegressionSums) -> Array:
    """Mean absolute error relative to y, over rows with y != 0, shape (...); NaN without such rows."""
    return _mean(sums.relative, sums.relative_rows)


def r2_of(sums: RegressionSums, step: float = 0.0) -> Array:
    """Share of the variance of y that predictions explain, shape (...); NaN for a constant y.

    A y whose spread is no more than what rounding hides is constant: 1e-14 of its squares for sums of floats,
    and, of terms rounded to `step`, half a step in each square and in each value.
    """
    spread = centred_squares(sums.rows, sums.target, sums.target_squared)
    mean = np.abs(_mean(sums.target, sums.rows))
    hidden = 1e-14 * floats(sums.target_squared) + floats(sums.rows) * step * (mean + 0.5)
    return 1 - floats(sums.squared) / np.where(spread > hidden, spread, np.nan)


def rmse_error(sums: RegressionSums) -> float | None:
    """Standard error of RMSE between independent rows, in the unit of y; None with fewer than two rows.

    The delta method: error of the mean of e^2, over 2 RMSE.
    """
    rows = int(sums.rows)
    spread, rmse = centred_squares(rows, sums.squared, sums.fourth).item(), rmse_of(sums).item()
    return None if rows <= 1 or rmse == 0 else float(np.sqrt(spread / (rows - 1) / rows) / (2 * rmse))


def _mean(total: Sum, rows: Sum) -> Array:
    n = floats(rows)
    return floats(total) / np.where(n > 0, n, np.nan)
