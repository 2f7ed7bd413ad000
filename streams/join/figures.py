"""Figures of a window: performance, what it is expected to be, and how it differs between the values of segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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

HELD: Final = 200
"""Windows of a deployment whose estimates are kept; past it the one asked for longest ago is worked out again."""
ESTIMATE_BYTES: Final = 1_200
"""What the estimates of a window take: some figures, and the numbers in them."""


def window_figures(
    terms: Terms,
    outcomes: Outcomes,
    days: Sequence[Outcomes],
    stage: Stage,
    expected: Sequence[Figure] | None = None,
) -> list[Figure]:
    """Give every figure of one window, with its verdict where it has one.

    Args:
        terms: by what it was counted and is judged.
        outcomes: what was counted.
        days: the days that a week or month is the sum of; intervals then know how days differ.
        stage: how far the window has come.
        expected: its estimates, when they are known; None has them worked out.
    """
    figures = performance_figures(terms.scheme, outcomes, days)
    if terms.scheme is None:
        return figures
    judge_performance(figures, terms.scheme, terms.yardstick, terms.settings, stage)
    figures += estimate_figures(terms, outcomes, closed=stage.closed) if expected is None else expected
    return figures + segment_figures(terms, outcomes, days, stage)


class Estimates:
    """The estimates of windows that were published lately: labels do not change them, and 200 draws take 50 ms."""

    def __init__(self) -> None:
        self._held: dict[object, tuple[object, list[Figure]]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes held, about."""
        return ESTIMATE_BYTES * len(self._held)

    def of(self, window: object, terms: Terms, outcomes: Outcomes, *, closed: bool) -> list[Figure]:
        """Give the estimates of a window, worked out anew where more predictions or other settings make them others."""
        if terms.scheme is None:
            return []
        made_of = (outcomes.predictions, terms.scheme.identity, terms.settings, closed)
        held = self._held.pop(window, None)
        if held is None or held[0] != made_of:
            held = (made_of, estimate_figures(terms, outcomes, closed=closed))
        if len(self._held) >= HELD:
            del self._held[next(iter(self._held))]
        self._held[window] = held
        return held[1]
