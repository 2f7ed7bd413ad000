"""Windows: the newest result of each window of versions that a rollout or a bake time is about; bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from driftline.schemas.refusal import Refused
from driftline.schemas.window import WindowResult

MAX_WINDOWS: Final = 2_000
"""Kept of one deployment; beyond them goes the one that was told first of whatever has the most.

So windows of the champion before, of which no more come, stay while the new one's come every five minutes."""


class Group(NamedTuple):
    """Windows of one width of one version in one slot."""

    version: str
    slot: str
    resolution: str


Which: TypeAlias = tuple[int, str]
"""Which window of a group: when it begins, ms since 1970, and its role."""


@dataclass(slots=True)
class Kept:
    """The newest result of a window, and when the first one of it was computed, ms since 1970."""

    result: WindowResult
    first_ms: int


class Windows:
    """What was told on topic `windows` of deployments in which something is on its way."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[Group, dict[Which, Kept]]] = {}

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
        group = kept.setdefault(Group(result.model_version, result.slot, result.resolution), {})
        which = result.window_start_ms, result.role
        held = group.get(which)
        if held is None:
            group[which] = Kept(result, result.computed_at_ms)
            _cut(kept)
        elif result.version >= held.result.version:
            held.result = result

    def of(self, deployment: str, version: str, slot: str) -> list[Kept]:
        """Windows of a version in a slot."""
        return [
            one
            for group, windows in self._kept.get(deployment, {}).items()
            if group[:2] == (version, slot)
            for one in windows.values()
        ]


def _cut(kept: dict[Group, dict[Which, Kept]]) -> None:
    if sum(map(len, kept.values())) > MAX_WINDOWS:
        name, largest = max(kept.items(), key=lambda one: len(one[1]))
        del largest[next(iter(largest))]
        if not largest:
            del kept[name]
