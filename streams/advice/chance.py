"""Chance: how often a year of windows gives an advice although nothing has changed, at most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from driftline.schemas.advice import Gain
    from driftline.schemas.window import Figure
    from driftline.streams.advice.evidence import Evidence

YEAR_MS: Final = 365.25 * 86_400_000
BEYOND: Final = 0.025
"""Chance that a figure lies beyond one end of its 95 % interval."""


def per_year(window: Evidence, probability: float) -> float:
    """Turn the chance of one window into a number a year."""
    return min(probability, 1.0) * YEAR_MS / (window.end_ms - window.start_ms)


def chance_of_fall(judged: Sequence[Figure]) -> float:
    """Chance that one of these figures gets a verdict by accident: their levels, added.

    A figure that tells no level is beyond one end of its interval by chance in 2.5 % of windows.
    """
    return min(sum(BEYOND if one.level is None else one.level for one in judged), 1.0)


def chance_of_gain(gains: Sequence[Gain]) -> float:
    """Chance that one of these is above zero for a candidate that is no better; 1 when no gain is known."""
    return min(BEYOND * len(gains), 1.0) if gains else 1.0


def chance_of_drift(window: Evidence, counts: Collection[str] | None) -> float:
    """Chance that the drift of an important feature gets a verdict by accident: their levels, added."""
    levels = [
        one.level
        for one in window.whole("drift")
        if one.metric == "psi" and one.level is not None and (counts is None or one.feature in counts)
    ]
    return min(sum(levels), 1.0)
