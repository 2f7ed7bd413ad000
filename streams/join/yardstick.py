"""Yardstick: what the reference came to, which the performance of windows is held against."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.outcomes_bytes import decode
from driftline.streams.join.performance import performance_figures
from driftline.streams.stats.estimate_binary import BinaryReference, binary_calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from driftline.schemas.profile import Profile
    from driftline.schemas.profile_column import ProfileColumn
    from driftline.schemas.window import Figure
    from driftline.streams.join.scheme import Scheme
    from driftline.streams.stats.estimate_binary import BinaryCalibration

OF_SCORES: Final = ("auc", "auc_error", "average_precision", "log_loss", "brier", "base_rate", "ece")
"""Metrics that do not depend on where a score is cut."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The reference of one model version, counted and measured as a window is.

    Attributes:
        scheme: by which it was counted.
        provenance: where its scores come from.
        total: what all its rows came to.
        days: each of its days.
        figures: of the whole reference, by metric and class; intervals know how its days differ.
        groups: the same of each value of each segment, by name and value.
        calibration: of a binary task, what a score meant in the reference; None where that is not known. Of many
            classes it is the scheme's.
    """

    scheme: Scheme
    provenance: str
    total: Outcomes
    days: tuple[Outcomes, ...]
    figures: dict[tuple[str, str], Figure]
    groups: dict[tuple[str, str | None], dict[tuple[str, str], Figure]] = field(default_factory=dict)
    calibration: BinaryCalibration | None = None

    def fits(self, scheme: Scheme) -> bool:
        """Whether windows counted by a scheme can be held against it: they ask the same question."""
        return (self.scheme.task, self.scheme.classes) == (scheme.task, scheme.classes)

    def held_for(self, scheme: Scheme) -> dict[tuple[str, str], Figure]:
        """Give the figures that windows of a scheme are held against: cut elsewhere, those of scores alone."""
        if not self.fits(scheme):
            return {}
        if self.scheme.threshold == scheme.threshold:
            return self.figures
        return {name: figure for name, figure in self.figures.items() if name[0] in OF_SCORES}

    def of_segment(self, segment: str, value: str | None) -> Yardstick:
        """Give the yardstick of the rows with one value of a segment; the reference may have had none of them."""
        return replace(self, figures=self.groups.get((segment, value), {}))


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
    # The days were counted before there was a calibration: it was made of them.
    total = Outcomes.of(replace(scheme, calibration=None))
    days = []
    for data in profile.truth.days:
        day = decode(data)
        day.rename(scheme.identity)
        days.append(day)
        total.merge(day)
    figures = _by_name(performance_figures(scheme, total, days))
    groups = {}
    for segment in scheme.segments:
        for place, one in total.groups.get(segment.name, {}).items():
            parts = [day.groups.get(segment.name, {}).get(place) for day in days]
            found = performance_figures(scheme.coarse, one, [part for part in parts if part])
            groups[segment.name, segment.value_at(place)] = _by_name(found)
    calibration = None
    if scheme.task == "binary" and scheme.scores:
        means = _means(profile.column(scheme.scores[0], "score"))
        calibration = binary_calibration(BinaryReference(total.cells, means))
    return Yardstick(scheme, profile.provenance, total, tuple(days), figures, groups, calibration)


def _by_name(figures: list[Figure]) -> dict[tuple[str, str], Figure]:
    return {(figure.metric, figure.feature): figure for figure in figures}


def _means(column: ProfileColumn) -> NDArray[np.float64]:
    """Give the mean score of each bin, from the exact sums of the reference; the middle of a bin without rows."""
    edges = column.edges.astype(np.float64)
    middle = (np.concatenate([edges[:1], edges]) + np.concatenate([edges, edges[-1:]])) / 2
    sums = np.ldexp(column.sums_hi.astype(np.float64), 32 - 40) + np.ldexp(
        column.sums_lo.astype(np.float64), -40
    )
    rows = np.maximum(column.counts, 1)
    means: NDArray[np.float64] = np.where(column.counts > 0, column.mean + column.unit * sums / rows, middle)
    return means
