"""Figures of a window: performance, what it is expected to be, and how it differs between the values of segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.streams.join.estimates import estimate_figures
from driftline.streams.join.performance import performance_figures
from driftline.streams.join.segment_figures import segment_figures
from driftline.streams.join.verdict import judge_performance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.window import Figure
    from driftline.streams.join.outcomes import Outcomes
    from driftline.streams.join.terms import Terms
    from driftline.streams.join.verdict import Stage


def window_figures(terms: Terms, outcomes: Outcomes, days: Sequence[Outcomes], stage: Stage) -> list[Figure]:
    """Give every figure of one window, with its verdict where it has one.

    Args:
        terms: by what it was counted and is judged.
        outcomes: what was counted.
        days: the days that a week or month is the sum of; intervals then know how days differ.
        stage: how far the window has come.
    """
    figures = performance_figures(terms.scheme, outcomes, days)
    if terms.scheme is None:
        return figures
    judge_performance(figures, terms.scheme, terms.yardstick, terms.settings, stage)
    figures += estimate_figures(terms, outcomes, closed=stage.closed)
    return figures + segment_figures(terms, outcomes, days, stage)
