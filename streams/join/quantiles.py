"""Quantiles: how far scores that are declared to be quantiles of a regression lie from the truth, as pinball loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.schemas.window import Figure
from driftline.streams.join.exact import exact_float, exact_sum
from driftline.streams.stats.intervals import of_mean
from driftline.streams.stats.losses import mean_of
from driftline.streams.stats.regression import pinball_terms
from driftline.streams.stats.shares import defined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from driftline.streams.join.scheme import Scheme

METRIC: Final = "pinball"
LARGEST: Final = 1e120
"""Of a number that is held against another: squares of losses, and sums of a billion of them, stay numbers."""


def sums_of(scheme: Scheme) -> dict[str, int]:
    """Give the exact sums that are kept of each quantile, empty: its loss, that squared, and the rows behind them."""
    return {_name(part, score): 0 for score, _ in scheme.quantiles for part in ("loss", "squared", "rows")}


def add_quantiles(
    sums: dict[str, int], scheme: Scheme, truth: NDArray[np.float64], scores: NDArray[np.floating]
) -> None:
    """Add labelled rows to the sums of quantiles.

    Args:
        sums: of outcomes of this scheme.
        scheme: of the model version.
        truth: float64 (n,), NaN for none.
        scores: (S, n), by `scheme.columns`; NaN for none.
    """
    for score, level in scheme.quantiles:
        said = scores[scheme.columns.index(score)].astype(np.float64)
        usable = (np.abs(truth) <= LARGEST) & (np.abs(said) <= LARGEST)
        loss = pinball_terms(truth[usable], said[usable], level)
        for part, values in (("loss", loss), ("squared", loss**2), ("rows", np.ones(len(loss)))):
            sums[_name(part, score)] += exact_sum(values)


def quantile_sums(sums: Mapping[str, int], score: str) -> tuple[float, float, float]:
    """Give rows, loss and loss squared of a quantile."""
    rows, loss, squared = (exact_float(sums[_name(part, score)]) for part in ("rows", "loss", "squared"))
    return rows, loss, squared


def quantile_figures(scheme: Scheme, sums: Mapping[str, int]) -> list[Figure]:
    """Give the mean loss of each quantile, by the name of its score, in the unit of the truth; None without rows."""
    figures = []
    for score, _ in scheme.quantiles:
        rows, loss, squared = quantile_sums(sums, score)
        count = round(rows)
        figure = Figure("performance", score, METRIC, defined(mean_of(count, loss).item()), rows=count)
        interval = of_mean(count, loss, squared)
        if interval is not None and figure.value is not None:
            figure.low, figure.high, figure.interval = interval
        figures.append(figure)
    return figures


def _name(part: str, score: str) -> str:
    return f"{METRIC} {part} {score}"
