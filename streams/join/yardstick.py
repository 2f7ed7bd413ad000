"""Yardstick: what the reference came to, which the performance of windows is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The reference of one model version, counted and measured as a window is.

    Attributes:
        scheme: by which it was counted.
        provenance: where its scores come from.
        total: what all its rows came to.
        days: each of its days.
        figures: of the whole reference, by metric and class; intervals know how its days differ.
        calibration: of a binary task, what a score meant in the reference; None where that is not known. Of many
            classes it is the scheme's.
    """

    scheme: Scheme
    provenance: str
    total: Outcomes
    days: tuple[Outcomes, ...]
    figures: dict[tuple[str, str], Figure]
    calibration: BinaryCalibration | None = None

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
    calibration = None
    if scheme.task == "binary" and scheme.scores:
        means = _means(profile.column(scheme.scores[0], "score"))
        calibration = binary_calibration(BinaryReference(total.cells, means))
    return Yardstick(scheme, profile.provenance, total, tuple(days), by_name, calibration)


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
