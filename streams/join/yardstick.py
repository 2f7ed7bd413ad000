"""Yardstick: what the reference came to, which the performance of windows is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.outcomes_bytes import decode
from driftline.streams.join.performance import performance_figures

if TYPE_CHECKING:
    from driftline.schemas.profile import Profile
    from driftline.schemas.window import Figure
    from driftline.streams.join.scheme import Scheme


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The reference of one model version, counted and measured as a window is.

    Attributes:
        scheme: by which it was counted.
        provenance: where its scores come from.
        total: what all its rows came to.
        days: each of its days.
        figures: of the whole reference, by metric and class; intervals know how its days differ.
    """

    scheme: Scheme
    provenance: str
    total: Outcomes
    days: tuple[Outcomes, ...]
    figures: dict[tuple[str, str], Figure]

    def fits(self, scheme: Scheme) -> bool:
        """Whether windows counted by a scheme can be held against it: the same question, cut at the same place."""
        mine = (self.scheme.task, self.scheme.classes, self.scheme.threshold)
        return mine == (scheme.task, scheme.classes, scheme.threshold)


def yardstick_of(profile: Profile, scheme: Scheme) -> Yardstick | None:
    """Read the yardstick out of a profile; None for one without truth.

    Args:
        profile: with its truth.
        scheme: of the profile alone, as nobody's settings change it.

    Raises:
        ValueError: the profile's truth is damaged.
    """
    if profile.truth is None:
        return None
    total = Outcomes.of(scheme)
    days = []
    for data in profile.truth.days:
        day = decode(data)
        day.digest = scheme.identity
        days.append(day)
        total.merge(day)
    figures = performance_figures(scheme, total, days)
    by_name = {(figure.metric, figure.feature): figure for figure in figures}
    return Yardstick(scheme, profile.provenance, total, tuple(days), by_name)
