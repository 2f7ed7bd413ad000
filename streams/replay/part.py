"""Part: what was counted again of one deployment, some of it at a time."""

from __future__ import annotations

from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.schemas.window import WindowResult
    from driftline.streams.join.dirty import Offsets
    from driftline.streams.join.kept import CellKey
    from driftline.streams.join.outcomes import Outcomes
    from driftline.streams.windows.counters import Counters
    from driftline.streams.windows.held import PaneKey
    from driftline.streams.windows.window import Window

RESULTS_A_PART: Final = 64


class Failure(NamedTuple):
    """Why a deployment could not be restated, and the records of its labels that therefore still await it.

    Without an error it was not tried: it waits.
    """

    error: Exception | None
    labels: Offsets


class Part(NamedTuple):
    """What was restated of one deployment.

    Attributes:
        results: of cold windows, ready but for the position.
        days: counters, or outcomes, of the days among them, for weeks and months that memory still merges.
        merges: those weeks and months.
        failure: of the whole deployment, which is left for another time; None without.
        hot: counters of hot windows whose profile has come since they were counted.
    """

    deployment: str
    results: list[WindowResult]
    days: dict[CellKey, Counters] | dict[CellKey, Outcomes]
    merges: set[Window]
    failure: Failure | None = None
    hot: Mapping[PaneKey, Counters] = MappingProxyType({})


def slices(name: str, results: Iterator[WindowResult]) -> Iterator[Part]:
    """Give results some at a time: with 25 features each takes 100 KB while it waits to be published."""
    while some := list(islice(results, RESULTS_A_PART)):
        yield Part(name, some, {}, set())
