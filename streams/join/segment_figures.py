"""Figures by the values of segments: for whom the model does its job, for whom it does not, and how unequally."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.schemas.window import Figure
from driftline.streams.join.performance import performance_figures
from driftline.streams.join.verdict import judge_performance
from driftline.streams.stats.fairness import FairnessRow, fairness

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.streams.join.outcomes import Outcomes
    from driftline.streams.join.scheme import Segment
    from driftline.streams.join.terms import Terms
    from driftline.streams.join.verdict import Stage

NOT_IN_PROFILE: Final = (
    "The profile has no segment of this name: build it with a mapping that says segment = true for "
    "the column."
)
NO_VALUE: Final = "(no value)"
"""What rows without a value of a segment are called."""
_ALWAYS: Final = (
    "coverage",
    "accuracy",
    "base_rate",
    "f1",
    "macro_f1",
    "log_loss",
    "brier",
    "rmse",
    "mae",
    "bias",
)
_OF_ANSWERS: Final = ("selection_rate", "four_fifths", "demographic_parity")
"""Rates and criteria that need no labels."""


def segment_figures(terms: Terms, outcomes: Outcomes, days: Sequence[Outcomes], stage: Stage) -> list[Figure]:
    """Give performance and, of a binary task, fairness by the values of each segment.

    Args:
        terms: by what the window was counted and is judged.
        outcomes: what was counted; only a window that has closed has such figures.
        days: the days that a week or month is the sum of.
        stage: how far the window has come.

    Returns:
        Figures with `segment` set, as `carrier=UA`; then a figure a named criterion, with its verdict.
    """
    scheme = terms.scheme
    if scheme is None or not stage.closed:
        return []
    known = {segment.name for segment in scheme.segments}
    figures = [
        Figure(
            "fairness",
            name,
            "segment",
            verdict="inconclusive",
            reason=NOT_IN_PROFILE,
            rows=outcomes.predictions,
        )
        for name in terms.settings.segments
        if name not in known
    ]
    together = sum(len(values) for values in outcomes.groups.values())
    for segment in scheme.segments:
        for place, one in sorted(outcomes.groups.get(segment.name, {}).items()):
            parts = [day.groups.get(segment.name, {}).get(place) for day in days]
            figures += _performance(
                terms, segment, place, one, [part for part in parts if part], stage, together
            )
        if scheme.task == "binary":
            figures += _fairness(segment, outcomes.groups.get(segment.name, {}), stage)
    return figures


def _performance(
    terms: Terms,
    segment: Segment,
    place: int,
    one: Outcomes,
    days: Sequence[Outcomes],
    stage: Stage,
    together: int,
) -> list[Figure]:
    scheme, yardstick = terms.scheme, terms.yardstick
    if scheme is None:
        return []
    primary = terms.settings.primary_metrics(scheme.task)
    wanted = (*_ALWAYS, *primary, *(f"{metric}_error" for metric in primary))
    figures = performance_figures(scheme.coarse, one, days, wanted)
    held = None if yardstick is None else yardstick.of_segment(segment.name, segment.value_at(place))
    judge_performance(figures, scheme, held, terms.settings, stage, together)
    for figure in figures:
        figure.segment = _named(segment, place)
    return figures


def _fairness(segment: Segment, groups: Mapping[int, Outcomes], stage: Stage) -> Iterator[Figure]:
    """Compare what is done to the values of a segment: selection over all predictions, the rest over labelled ones."""
    known = {
        segment.value_at(place): one for place, one in sorted(groups.items()) if place != segment.nowhere
    }
    names = [name for name in known if name is not None]
    if len(names) < 2:  # noqa: PLR2004 - with nobody else there is nothing to compare
        return
    told = np.array([one.answers.sum(axis=1) for one in known.values()], np.int64)
    # All predictions as if their truth were no: who is selected does not depend on it.
    every = np.stack([told, np.zeros_like(told)], axis=1)
    labelled = np.stack([one.confusion for one in known.values()])
    for confusions, selection in ((every, True), (labelled, False)):
        for row in fairness(names, confusions, segment.reference):
            if row.metric.startswith(_OF_ANSWERS) is selection:
                yield _figure(segment, row, "" if selection else stage.provisional)


def _figure(segment: Segment, row: FairnessRow, provisional: str) -> Figure:
    """Give a row as a figure; a criterion over labels that are still to come is not judged."""
    figure = Figure("fairness", segment.name, row.metric, row.value, floor=row.threshold, rows=row.rows)
    if row.low is not None and row.high is not None:
        figure.low, figure.high, figure.interval = row.low, row.high, "iid"
    figure.segment = f"{segment.name}={row.group}" if row.group else ""
    figure.verdict, figure.reason = row.verdict, row.reason
    if row.verdict is None and row.other:
        figure.reason = f"Against {row.other}."
    if row.verdict is not None and provisional:
        figure.verdict, figure.reason = "inconclusive", provisional
    return figure


def _named(segment: Segment, place: int) -> str:
    value = segment.value_at(place)
    return f"{segment.name}={NO_VALUE if value is None else value}"
