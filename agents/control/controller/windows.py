"""Windows: the newest result of each window of versions that a rollout or a bake time is about; bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from driftline.schemas.refusal import Refused
from driftline.schemas.window import WindowResult

MAX_WINDOWS: Final = 2_000
"""Kept of one deployment; beyond them the one that was told first goes."""


class Which(NamedTuple):
    """Which window of which version."""

    version: str
    slot: str
    resolution: str
    start_ms: int
    role: str


@dataclass(slots=True)
class Kept:
    """The newest result of a window, and when the first one of it was computed, ms since 1970."""

    result: WindowResult
    first_ms: int


class Windows:
    """What was told on topic `windows` of deployments in which something is on its way."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[Which, Kept]] = {}

    def follow(self, deployments: set[str]) -> None:
        """Keep windows of these deployments alone from now on."""
        self._kept = {name: self._kept.get(name, {}) for name in deployments}

    @property
    def followed(self) -> set[str]:
        """Deployments whose windows are kept."""
        return set(self._kept)

    def take(self, key: bytes, value: bytes) -> None:
        """Take in a record of the topic; what is no window is for others to report."""
        kept = self._kept.get(key.decode("utf-8", "replace"))
        if kept is None:
            return
        try:
            result = WindowResult.from_bytes(value)
        except Refused:
            return
        if result.run != "live" or result.deployment.encode() != key:
            return
        which = Which(
            result.model_version, result.slot, result.resolution, result.window_start_ms, result.role
        )
        held = kept.get(which)
        if held is None:
            kept[which] = Kept(result, result.computed_at_ms)
            if len(kept) > MAX_WINDOWS:
                del kept[next(iter(kept))]
        elif result.version >= held.result.version:
            held.result = result

    def of(self, deployment: str, version: str, slot: str) -> list[Kept]:
        """Windows of a version in a slot."""
        return [
            one
            for which, one in self._kept.get(deployment, {}).items()
            if (which.version, which.slot) == (version, slot)
        ]
