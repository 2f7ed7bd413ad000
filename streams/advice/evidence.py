"""Evidence: what drift and accuracy found of one window, side by side, as far as it is final."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.schemas.window import Figure, WindowResult

OPERATIONAL: Final = ("rows", "health")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One window of one model version in one slot.

    Attributes:
        deployment: name of the deployment.
        model_version: version of the model.
        slot: slot that served.
        resolution: width of the window.
        start_ms: start in event time, inclusive.
        end_ms: end, exclusive.
        figures: of both roles.
        labels: predictions with a label; 0 when nothing final was held against labels.
        coverage: their share; None then.
        provisional: whether so many labels are still to come that performance may be that of a biased sample.
    """

    deployment: str
    model_version: str
    slot: str
    resolution: str
    start_ms: int
    end_ms: int
    figures: tuple[Figure, ...]
    labels: int = 0
    coverage: float | None = None
    provisional: bool = False

    def whole(self, *kinds: str) -> list[Figure]:
        """Give the figures of these kinds that are about the whole window: no segment, no class of many."""
        return [one for one in self.figures if one.kind in kinds and not one.segment]


def evidence_of(results: Iterable[WindowResult]) -> list[Evidence]:
    """Put the roles of each window together, in order of time; what is not final is left out.

    Args:
        results: windows of one deployment in any order; of two of one role the later in order of publication holds.
    """
    held: dict[tuple[str, str, str, int], dict[str, WindowResult]] = {}
    for result in results:
        if not result.final:
            continue
        place = (result.resolution, result.model_version, result.slot, result.window_start_ms)
        roles = held.setdefault(place, {})
        known = roles.get(result.role)
        if known is None or known.version <= result.version:
            roles[result.role] = result
    windows = [_joined(roles) for roles in held.values()]
    return sorted(windows, key=lambda one: (one.start_ms, one.model_version, one.slot))


def _joined(roles: dict[str, WindowResult]) -> Evidence:
    any_role = next(iter(roles.values()))
    accuracy = roles.get("accuracy")
    figures = [figure for role in sorted(roles, reverse=True) for figure in roles[role].figures]
    return Evidence(
        deployment=any_role.deployment,
        model_version=any_role.model_version,
        slot=any_role.slot,
        resolution=any_role.resolution,
        start_ms=any_role.window_start_ms,
        end_ms=any_role.window_end_ms,
        figures=tuple(figure for figure in figures if figure.kind not in OPERATIONAL),
        labels=0 if accuracy is None else accuracy.labels,
        coverage=None if accuracy is None or not accuracy.rows else accuracy.labels / accuracy.rows,
        provisional=accuracy is not None and accuracy.provisional,
    )
