"""Tasks: what a worker offers to be restated, and what it is given back. They need no archive to be spoken of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from driftline.streams.join.dirty import Offsets
from driftline.streams.join.kept import CellKey
from driftline.streams.replay.cold import Edge
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.late import Late

if TYPE_CHECKING:
    from driftline.schemas.window import WindowResult
    from driftline.streams.join.hot import Window
    from driftline.streams.join.outcomes import Outcomes


class Failure(NamedTuple):
    """Why a deployment could not be restated, and the records of its labels that therefore still await it."""

    error: Exception
    labels: Offsets


class Part(NamedTuple):
    """What was restated of one deployment.

    Attributes:
        results: of cold windows, ready but for the position.
        days: counters, or outcomes, of the days among them, for weeks and months that memory still merges.
        merges: those weeks and months.
        failure: of the whole deployment, which is left for another time; None without.
    """

    deployment: str
    results: list[WindowResult]
    days: dict[CellKey, Counters] | dict[CellKey, Outcomes]
    merges: set[Window]
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class DriftTask:
    """Late rows of one deployment.

    Attributes:
        positions: of `predictions`, and -1, that the archive must have passed.
        late: what is to be restated.
        edge: where hot ends.
    """

    deployment: str
    partition: int
    positions: tuple[int, int]
    late: tuple[Late, ...]
    edge: Edge


@dataclass(frozen=True, slots=True)
class JoinTask:
    """Late predictions by deployment, and labels by offset, of one partition.

    Attributes:
        positions: of `predictions` and `labels` that the archive must have passed.
        late: what is to be restated, by deployment.
        labels: likewise.
        edges: where hot ends, by deployment; of others nothing is in memory.
    """

    partition: int
    positions: tuple[int, int]
    late: Mapping[str, tuple[Late, ...]]
    labels: Offsets
    edges: Mapping[str, Edge]


def restated(result: WindowResult, absorbed: int, late_rows: int) -> WindowResult:
    """Give a result that was counted again the position of its writer, and the late rows that are left."""
    version = 2 * (absorbed + 1) + int(result.final)
    return replace(result, absorbed=absorbed, version=version, restated=result.final, late_rows=late_rows)
