"""Figures by the values of segments: for whom the model does its job, for whom it does not, and how unequally."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.schemas.window import Figure
from driftline.streams.join.performance import performance_figures
from driftline.streams.join.verdict import judge_performance
from driftline.streams.stats.criteria import RATES_OF, criteria
from driftline.streams.stats.fairness import Fairness, fairness

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.streams.join.outcomes import Outcomes
    from driftline.streams.join.scheme import Segment
    from driftline.streams.join.terms import Terms
    from driftline.streams.join.verdict import Stage

NO_VALUE: Final = "(no value)"
"""What rows without a value of a segment are called."""
_ALWAYS: Final = ("coverage", "accuracy", "base_rate")
_OF_ANSWERS: Final = "selection_rate"


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
    figures = []
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
    of_all = fairness(names, every, segment.reference)
    of_known = fairness(names, np.stack([one.confusion for one in known.values()]), segment.reference)
    for found, mine in ((of_all, True), (of_known, False)):
        yield from _rates(segment, found, selection=mine)
        yield from _criteria(segment, found, stage, selection=mine)


def _rates(segment: Segment, found: Fairness, *, selection: bool) -> Iterator[Figure]:
    for rate in found.rates:
        if (rate.rate == _OF_ANSWERS) is not selection:
            continue
        where = f"{segment.name}={rate.group}"
        figure = Figure("fairness", segment.name, rate.rate, rate.of.value, rows=rate.of.rows, segment=where)
        if rate.of.low is not None and rate.of.high is not None:
            figure.low, figure.high, figure.interval = rate.of.low, rate.of.high, "iid"
        yield figure
        against = rate.named or rate.best
        if against is None or against.group == rate.group:
            continue
        for name, value in (("difference", against.difference), ("ratio", against.ratio)):
            yield Figure(
                "fairness",
                segment.name,
                f"{rate.rate}_{name}",
                value,
                rows=rate.of.rows,
                reason=f"Against {against.group}.",
                segment=where,
            )


def _criteria(segment: Segment, found: Fairness, stage: Stage, *, selection: bool) -> Iterator[Figure]:
    for one in criteria(found, segment.reference):
        if (RATES_OF[one.name] == (_OF_ANSWERS,)) is not selection:
            continue
        why = "" if selection else stage.provisional
        verdict = "inconclusive" if why or one.holds is None else "ok" if one.holds else "warn"
        rows = sum(rate.of.rows for rate in found.of(RATES_OF[one.name][0]))
        yield Figure(
            "fairness",
            segment.name,
            one.name,
            one.value,
            floor=one.threshold,
            verdict=verdict,
            reason=why or one.reason,
            rows=rows,
            segment="" if one.group is None else f"{segment.name}={one.group}",
        )


def _named(segment: Segment, place: int) -> str:
    value = segment.value_at(place)
    return f"{segment.name}={NO_VALUE if value is None else value}"
