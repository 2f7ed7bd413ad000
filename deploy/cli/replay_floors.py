"""Floors as words of the command: how far off a figure must be to warn and to fail, in a replay alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from driftline.deploy.tables.errors import suggestion
from driftline.schemas.floors import METRICS, Floor
from driftline.streams.processors.settings_book import SettingsBook
from driftline.streams.replay.errors import ReplayError

if TYPE_CHECKING:
    from driftline.schemas.deployment_state import DeploymentState

LARGEST: Final = 100.0
STEPS: Final = ("warn", "fail")


class FlooredSettings(SettingsBook):
    """Settings as people declared them, but for some floors."""

    def __init__(self, floors: dict[str, Floor]) -> None:
        super().__init__()
        self._floors = floors

    def state(self, deployment: str, at_ms: int) -> DeploymentState:
        """The revision in force at an event time, with the floors of this replay."""
        found = super().state(deployment, at_ms)
        floors = {**found.settings.floors, **self._floors}
        return msgspec.structs.replace(found, settings=msgspec.structs.replace(found.settings, floors=floors))


def floors_of(text: str | None) -> dict[str, Floor]:
    """Read floors, as `psi.warn=0.2,psi.fail=0.4`; what is not named of a metric is its default.

    Raises:
        ReplayError: a floor is of no metric, or no number.

    >>> floors_of("psi.warn=0.2")["psi"].warn
    0.2
    """
    found: dict[str, dict[str, float]] = {}
    for word in [] if text is None else text.split(","):
        left, _, number = word.strip().partition("=")
        metric, _, step = left.partition(".")
        if metric not in METRICS:
            raise ReplayError(f"floor {word.strip()!r} is of no metric: {suggestion(metric, METRICS)}")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if step not in STEPS or not 0 < value <= LARGEST:
            raise ReplayError(
                f"floor {word.strip()!r} is none: write {metric}.warn=X or {metric}.fail=X, X above 0, at most 100"
            )
        default = METRICS[metric].floor
        found.setdefault(metric, {"warn": default.warn, "fail": default.fail})[step] = value
    for metric, one in found.items():
        if one["warn"] > one["fail"]:
            raise ReplayError(
                f"floor {metric}.warn={one['warn']:g} is above {metric}.fail={one['fail']:g}: set both"
            )
    return {metric: Floor(**one) for metric, one in found.items()}
