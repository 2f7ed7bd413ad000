"""Performance figures: how well the model did on the predictions of a window whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from driftline.schemas.window import Figure
from driftline.streams.join.day_intervals import widen
from driftline.streams.join.exact import exact_float
from driftline.streams.join.outcomes import ERRORS
from driftline.streams.join.quantiles import METRIC as PINBALL
from driftline.streams.join.quantiles import quantile_figures
from driftline.streams.stats.confusion import (
    accuracy_of,
    balanced_accuracy_error,
    balanced_accuracy_of,
    binary,
    classification,
    f1_errors,
    macro_f1_error,
    mcc_error,
    mcc_of,
)
from driftline.streams.stats.intervals import Interval, around, of_mean, wilson
from driftline.streams.stats.losses import calibration_error_of, mean_of, skill_of
from driftline.streams.stats.ranking import auc, auc_error, average_precision
from driftline.streams.stats.regression import RegressionSums, regression, rmse_error
from driftline.streams.stats.shares import defined

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from driftline.streams.join.outcomes import Outcomes
    from driftline.streams.join.scheme import Scheme
    from driftline.streams.stats.ranking import Bounds
    from driftline.streams.stats.shares import Array

Makers: TypeAlias = dict[str, Callable[[], Figure]]
"""Metric -> what works it out: of many segments only some are asked for."""
NO_PROFILE: Final = "no_profile: nothing says what this version's answers mean, so only labels are counted."


def performance_figures(
    scheme: Scheme | None,
    outcomes: Outcomes,
    days: Sequence[Outcomes] = (),
    wanted: Collection[str] | None = None,
) -> list[Figure]:
    """Give every figure of one window.

    Args:
        scheme: how answers were held against truth; None when it is not known.
        outcomes: what was counted.
        days: the days that a week or month is the sum of; intervals then know how days differ.
        wanted: metrics of the whole window to give; None for all, those of single classes too.

    Returns:
        Coverage first, then the figures of the task; a figure without a value is undefined (one class, no label).
        Figures have no verdict (`driftline.streams.join.verdict` gives it).
    """
    coverage = outcomes.labels / outcomes.predictions if outcomes.predictions else None
    found = [Figure("performance", "", "coverage", coverage, rows=outcomes.predictions)]
    if scheme is None:
        found[0].reason = NO_PROFILE
        return found
    unusable = outcomes.unknown + outcomes.undecided
    share = unusable / outcomes.labels if outcomes.labels else None
    found.append(Figure("performance", "", "unusable_labels", share, rows=outcomes.labels))
    if unusable:
        found[-1].reason = (
            f"{outcomes.unknown} labels name no class or number that the profile knows, {outcomes.undecided} answers "
            "say nothing to hold a label against."
        )
    if scheme.task == "regression":
        found += _of_numbers(outcomes)
        found += quantile_figures(scheme, outcomes.sums)
    else:
        makers = _of_classes(scheme, outcomes)
        makers |= _of_scores(scheme, outcomes) if scheme.task == "binary" else _of_losses(outcomes)
        found += [make() for metric, make in makers.items() if wanted is None or metric in wanted]
        found += _of_each_class(scheme, outcomes) if wanted is None and scheme.task == "classes" else []
    if wanted is not None:
        found = [figure for figure in found if figure.metric in wanted and not figure.feature]
    widen(
        [figure for figure in found if not figure.feature or figure.metric == PINBALL],
        [day for day in days if day.digest == outcomes.digest],
    )
    return found


def _of_classes(scheme: Scheme, outcomes: Outcomes) -> Makers:
    confusion = outcomes.confusion
    rows, hits = int(confusion.sum()), int(np.trace(confusion))

    def of(metric: str, values: Array, error: Callable[[], float | None], least: float = 0.0) -> Figure:
        value = defined(values.item())
        return _figure(metric, value, rows, _around(value, error(), least))

    makers: Makers = {
        "accuracy": lambda: _figure(
            "accuracy", defined(accuracy_of(confusion).item()), rows, wilson(hits, rows)
        ),
        "balanced_accuracy": lambda: of(
            "balanced_accuracy", balanced_accuracy_of(confusion), lambda: balanced_accuracy_error(confusion)
        ),
        "mcc": lambda: of("mcc", mcc_of(confusion), lambda: mcc_error(confusion), -1.0),
    }
    return makers | (_of_two(confusion) if scheme.task == "binary" else _of_means(confusion, rows))


def _of_two(confusion: NDArray[np.int64]) -> Makers:
    yes = binary(confusion, 1)
    rows, said = int(confusion.sum()), yes.true_positives + yes.false_positives
    true = yes.true_positives + yes.false_negatives
    return {
        "precision": lambda: _figure("precision", yes.precision, said, wilson(yes.true_positives, said)),
        "recall": lambda: _figure("recall", yes.recall, true, wilson(yes.true_positives, true)),
        "f1": lambda: _figure("f1", yes.f1, rows, _around(yes.f1, f1_errors(confusion)[1])),
        "base_rate": lambda: _figure("base_rate", true / rows if rows else None, rows, wilson(true, rows)),
    }


def _of_means(confusion: NDArray[np.int64], rows: int) -> Makers:
    """Means over many classes."""
    found = classification(confusion)
    return {
        "macro_precision": lambda: _figure("macro_precision", found.precision, rows, None),
        "macro_recall": lambda: _figure("macro_recall", found.recall, rows, None),
        "macro_f1": lambda: _figure("macro_f1", found.f1, rows, _around(found.f1, macro_f1_error(confusion))),
    }


def _of_each_class(scheme: Scheme, outcomes: Outcomes) -> list[Figure]:
    figures = []
    for name, one in zip(scheme.classes, classification(outcomes.confusion).classes, strict=True):
        figures += [
            _figure("precision", one.precision, one.predicted, wilson(one.hits, one.predicted), name),
            _figure("recall", one.recall, one.labels, wilson(one.hits, one.labels), name),
            _figure("f1", one.f1, one.labels, None, name),
        ]
    return figures


def _of_scores(scheme: Scheme, outcomes: Outcomes) -> Makers:
    negatives, positives = outcomes.scored
    atoms = scheme.atoms
    rows, base = outcomes.counted, int(positives.sum())

    def skill() -> Figure:
        total = exact_float(outcomes.sums["log_loss"])
        value = defined(skill_of(total, np.array([rows - base, base])).item()) if rows else None
        return _figure("log_loss_skill", value, rows, None)

    def error_of_calibration() -> Figure:
        sums = np.array([exact_float(one) for one in outcomes.calibration_sums])
        bins, hits = outcomes.calibration
        value = defined(calibration_error_of(bins, hits, sums).item()) if rows else None
        return _figure("ece", value, rows, None)

    return {
        "auc": lambda: _bounded("auc", auc(positives, negatives, atoms), rows),
        "auc_error": lambda: _figure("auc_error", auc_error(positives, negatives), rows, None),
        "average_precision": lambda: _bounded(
            "average_precision", average_precision(positives, negatives, atoms), rows
        ),
        **_of_losses(outcomes),
        "log_loss_skill": skill,
        "ece": error_of_calibration,
    }


def _of_losses(outcomes: Outcomes) -> Makers:
    return {name: partial(_loss, name, outcomes) for name in ("log_loss", "brier")}


def _loss(name: str, outcomes: Outcomes) -> Figure:
    rows = outcomes.counted
    total, squares = (exact_float(outcomes.sums[one]) for one in (name, f"{name}_squared"))
    return _figure(name, defined(mean_of(rows, total).item()), rows, of_mean(rows, total, squares))


def _of_numbers(outcomes: Outcomes) -> list[Figure]:
    values = {name: exact_float(outcomes.sums[name]) for name in ERRORS}
    rows = outcomes.counted
    sums = RegressionSums(rows=rows, relative_rows=outcomes.nonzero, **values)
    found = regression(sums)
    return [
        _figure("mae", found.mae, rows, of_mean(rows, sums.absolute, sums.squared)),
        _figure("rmse", found.rmse, rows, around(found.rmse, rmse_error(sums))),
        _figure("bias", found.bias, rows, of_mean(rows, sums.error, sums.squared)),
        _figure("r2", found.r2, rows, None),
        _figure(
            "mape",
            found.mape,
            outcomes.nonzero,
            of_mean(outcomes.nonzero, sums.relative, sums.relative_squared),
        ),
        _figure("zero_targets", float(found.zero_targets), rows, None),
    ]


def _around(value: float | None, error: float | None, least: float = 0.0) -> Interval | None:
    found = around(value, error)
    return None if found is None else found.within(least, 1.0)


def _figure(metric: str, value: float | None, rows: int, interval: Interval | None, name: str = "") -> Figure:
    figure = Figure("performance", name, metric, value, rows=rows)
    if interval is not None and value is not None:
        figure.low, figure.high, figure.interval = interval
    return figure


def _bounded(metric: str, found: Bounds | None, rows: int) -> Figure:
    if found is None:
        return Figure("performance", "", metric, rows=rows)
    return Figure(
        "performance", "", metric, found.value, rows=rows, low=found.low, high=found.high, interval="bounds"
    )
