"""Estimate figures: how well a window is expected to do, from its scores alone, beside the truth where there is any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.schemas.floors import METRICS, PRIMARY
from driftline.schemas.window import Figure
from driftline.streams.join.verdict import NO_TRUTH, OTHER_QUESTION, first_warning, known
from driftline.streams.stats.class_calibration import ClassCounts
from driftline.streams.stats.estimate import (
    DRAWS,
    NONE_FOR_REGRESSION,
    NONE_IN_SAMPLE,
    NONE_WITHOUT_TRUTH,
    SEED,
    SEES,
    Estimate,
)
from driftline.streams.stats.estimate_binary import estimate_binary
from driftline.streams.stats.estimate_classes import estimate_classes
from driftline.streams.stats.fall import Known, judge_fall
from driftline.streams.stats.verdict import Decision, too_few
from driftline.streams.windows.judge import OPEN, UNCOMPARED

if TYPE_CHECKING:
    from driftline.streams.join.outcomes import Outcomes
    from driftline.streams.join.terms import Terms

_MACRO: Final = {"precision": "macro_precision", "recall": "macro_recall", "f1": "macro_f1"}


def estimate_figures(terms: Terms, outcomes: Outcomes, *, closed: bool) -> list[Figure]:
    """Give what the scores of a window say of its performance.

    Args:
        terms: by what it was counted and is judged; with a scheme.
        outcomes: what was counted of all its predictions.
        closed: whether it is complete. An open window has values alone: intervals take 200 draws.

    Returns:
        A figure a metric, kind `estimate`, then the share of rows whose score the reference never had. One figure
        without a value says why there is no estimate.
    """
    found = _estimate(terms, outcomes, DRAWS if closed else 0)
    if isinstance(found, str):
        metric = PRIMARY[terms.scheme.task][0] if terms.scheme is not None else ""
        return [Figure("estimate", "", metric, reason=found, rows=outcomes.predictions)]
    figures = []
    for one in found.figures:
        figure = Figure("estimate", "", _name(terms, one.metric), one.value, rows=found.rows)
        if one.low is not None and one.high is not None:
            figure.low, figure.high, figure.interval = one.low, one.high, "iid"
        _judge(figure, terms, closed=closed)
        figures.append(figure)
    return [*figures, Figure("estimate", "", "unseen", found.unseen, rows=found.rows)]


def _estimate(terms: Terms, outcomes: Outcomes, draws: int) -> Estimate | str:
    """Estimate a window, or say why that cannot be done."""
    scheme, yardstick = terms.scheme, terms.yardstick
    if scheme is None or scheme.task == "regression":
        return NONE_FOR_REGRESSION
    if yardstick is None or not yardstick.fits(scheme):
        return NO_TRUTH if yardstick is None else OTHER_QUESTION
    if yardstick.provenance in UNCOMPARED:
        return NONE_IN_SAMPLE
    if scheme.calibration is not None:
        counts = ClassCounts(outcomes.expected, outcomes.answers)
        return estimate_classes(scheme.calibration, counts, SEED, draws)
    if yardstick.calibration is None:
        return NONE_WITHOUT_TRUTH
    return estimate_binary(yardstick.calibration, outcomes.answers, SEED, draws)


def _name(terms: Terms, metric: str) -> str:
    """Name a metric as measured figures do: of many classes these are means over them."""
    return (
        _MACRO.get(metric, metric) if terms.scheme is not None and terms.scheme.task == "classes" else metric
    )


def _judge(figure: Figure, terms: Terms, *, closed: bool) -> None:
    """Give a figure the reference's value, and the primary metrics a verdict, in place."""
    held = {} if terms.yardstick is None or terms.scheme is None else terms.yardstick.held_for(terms.scheme)
    reference = held.get((figure.metric, ""))
    if reference is None or reference.value is None:
        return
    figure.block, figure.reference_rows = reference.value, reference.rows
    if terms.scheme is None or figure.metric not in terms.settings.primary_metrics(terms.scheme.task):
        return
    figure.floor = first_warning(figure.metric, reference.value, terms.settings)
    measured = known(reference, held.get((f"{figure.metric}_error", "")))
    figure.verdict, reason = _decision(figure, measured, terms, closed=closed)
    figure.reason = reason if figure.verdict == "inconclusive" else f"{reason} {SEES}"


def _decision(figure: Figure, reference: Known | None, terms: Terms, *, closed: bool) -> Decision:
    if not closed:
        return Decision("inconclusive", OPEN)
    short = too_few(figure.rows, figure.reference_rows, terms.settings.minimum_rows)
    if short is not None:
        return short
    if figure.value is None or figure.low is None or figure.high is None or reference is None:
        return Decision("inconclusive", f"{figure.metric} or its interval cannot be estimated here.")
    window = Known(figure.value, figure.low, figure.high)
    floor = terms.settings.floor(figure.metric)
    return judge_fall(figure.metric, window, reference, floor, METRICS[figure.metric].kind)
