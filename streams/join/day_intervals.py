"""Day intervals: how far the figures of a week or month would move if its days were drawn again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.streams.join.exact import exact_float
from driftline.streams.join.quantiles import METRIC as PINBALL
from driftline.streams.join.quantiles import quantile_sums
from driftline.streams.stats.confusion import (
    accuracy_of,
    balanced_accuracy_of,
    class_figures_of,
    macro_f1_of,
    mcc_of,
)
from driftline.streams.stats.intervals import Interval, around, over_days
from driftline.streams.stats.losses import mean_of
from driftline.streams.stats.ranking import auc_of, average_precision_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.window import Figure
    from driftline.streams.join.outcomes import Outcomes
    from driftline.streams.stats.shares import Array

_OF_CONFUSION: Final = {
    "accuracy": accuracy_of,
    "balanced_accuracy": balanced_accuracy_of,
    "f1": lambda confusion: class_figures_of(confusion).f1[..., 1],
    "macro_f1": macro_f1_of,
    "mcc": mcc_of,
}
_OF_SCORES: Final = {"auc": auc_of, "average_precision": average_precision_of}
_ANY: Final = (-math.inf, math.inf)
_SHARE: Final = (0.0, 1.0)
_RANGES: Final = {
    "accuracy": _SHARE,
    "balanced_accuracy": _SHARE,
    "f1": _SHARE,
    "macro_f1": _SHARE,
    "auc": _SHARE,
    "average_precision": _SHARE,
    "mcc": (-1.0, 1.0),
    "log_loss": (0.0, math.inf),
    "brier": (0.0, 2.0),
    "mae": (0.0, math.inf),
    "rmse": (0.0, math.inf),
    PINBALL: (0.0, math.inf),
}
"""Where a figure can lie at all; an interval is cut there."""
_MEANS: Final = {"log_loss": "log_loss", "brier": "brier", "mae": "absolute", "bias": "error"}


def widen(figures: Sequence[Figure], days: Sequence[Outcomes]) -> None:
    """Give figures the interval over days where it is known; under 20 days nothing changes.

    Bounds of AUC and average precision give way to the interval, which is what a verdict asks for.
    """
    if not days:
        return
    errors = {figure.metric: figure.value for figure in figures}
    for figure in figures:
        iid = (
            Interval(figure.low, figure.high, "iid")
            if figure.interval == "iid" and figure.low is not None and figure.high is not None
            else around(figure.value, errors.get(f"{figure.metric}_error"))
        )
        found = _interval(figure, days, iid)
        if found is not None and found.kind == "days" and figure.value is not None:
            figure.low, figure.high, figure.interval = found.within(*_RANGES.get(figure.metric, _ANY))


def _interval(figure: Figure, days: Sequence[Outcomes], iid: Interval | None) -> Interval | None:
    metric = figure.metric
    if metric == PINBALL:
        sums = np.array([quantile_sums(day.sums, figure.feature) for day in days])
        return over_days(mean_of, [sums[:, 0], sums[:, 1]], iid)
    if metric in _OF_CONFUSION:
        return over_days(_OF_CONFUSION[metric], [np.stack([day.confusion for day in days])], iid)
    if metric in _OF_SCORES:
        ranked = _OF_SCORES[metric]

        def value(positives: Array, negatives: Array) -> Array:
            return ranked(positives, negatives).value

        scored = np.stack([day.scored for day in days])
        return over_days(value, [scored[:, 1], scored[:, 0]], iid)
    if metric in _MEANS and _MEANS[metric] in days[0].sums:
        rows = np.array([day.counted for day in days])
        return over_days(mean_of, [rows, _sums(days, _MEANS[metric])], iid)
    if metric == "rmse" and "squared" in days[0].sums:
        rows = np.array([day.counted for day in days])
        return over_days(lambda n, total: np.sqrt(mean_of(n, total)), [rows, _sums(days, "squared")], iid)
    return None


def _sums(days: Sequence[Outcomes], name: str) -> Any:  # noqa: ANN401 - numbers or integers of any size
    return np.array([exact_float(day.sums[name]) for day in days])
