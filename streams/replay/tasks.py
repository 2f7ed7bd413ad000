"""Tasks: what a worker offers to be restated. They need no archive to be spoken of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from driftline.streams.join.dirty import Offsets
from driftline.streams.replay.cold import Edge
from driftline.streams.windows.late import Late
from driftline.streams.windows.rules import Rules

if TYPE_CHECKING:
    from driftline.schemas.window import WindowResult
    from driftline.streams.windows.held import PaneKey


@dataclass(frozen=True, slots=True)
class DriftTask:
    """Late rows of one deployment.

    Attributes:
        positions: of `predictions`, and -1, that the archive must have passed.
        late: what is to be restated.
        edge: where hot ends.
        unprofiled: hot windows that were counted before their profile came, as of the first position.
    """

    deployment: str
    partition: int
    positions: tuple[int, int]
    late: tuple[Late, ...]
    edge: Edge
    unprofiled: tuple[PaneKey, ...] = ()


@dataclass(frozen=True, slots=True)
class JoinTask:
    """Late predictions by deployment, and labels by offset, of one partition.

    Attributes:
        positions: of `predictions` and `labels` that the archive must have passed.
        late: what is to be restated, by deployment.
        labels: likewise.
        edges: where hot ends, by deployment; of others nothing is in memory.
        rules: by which memory takes facts.
        waiting: deployments that are not to be tried now; their labels are left.
    """

    partition: int
    positions: tuple[int, int]
    late: Mapping[str, tuple[Late, ...]]
    labels: Offsets
    edges: Mapping[str, Edge]
    rules: Rules = field(default_factory=Rules)
    waiting: frozenset[str] = frozenset()


def restated(result: WindowResult, absorbed: int, late_rows: int) -> WindowResult:
    """Give a result that was counted again the position of its writer, and the late rows that are left."""
    version = 2 * (absorbed + 1) + int(result.final)
    return replace(result, absorbed=absorbed, version=version, restated=result.final, late_rows=late_rows)
