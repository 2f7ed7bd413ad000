"""Steps: what a source of facts gives a replay, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from driftline.streams.windows.book import NEVER

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from driftline.schemas.columns import LabelColumns, PredictionColumns


class Rows(NamedTuple):
    """Predictions to be counted, held against labels, or both.

    Attributes:
        offset: where their record, or that of each, lies in the log.
        reached_ms: the watermark before that, ms; only asked where they are held against labels.
    """

    offset: int | NDArray[np.int64]
    cols: PredictionColumns
    heard_ms: int
    to_count: bool
    to_join: bool
    reached_ms: int | NDArray[np.int64] = NEVER


class Aside(NamedTuple):
    """Predictions that are not counted, but may have come before those that are, with offsets."""

    offsets: NDArray[np.int64] | int
    cols: PredictionColumns


class Truth(NamedTuple):
    """Labels."""

    offset: int
    cols: LabelColumns


class Whole(NamedTuple):
    """All facts of windows that end at `before_ms` or before have come; None: of all windows."""

    before_ms: int | None
    newest_ms: int
    """The greatest event time of the deployment, ms."""


Step: TypeAlias = Rows | Aside | Truth | Whole


class Source(Protocol):
    """Where facts are read."""

    name: str
    partition: int
    total: int
    """What is to be read, in the unit that `steps` tells."""
    reached: tuple[int, int]
    """Offsets of predictions and of labels up to which all facts are read."""

    def steps(self) -> Iterator[tuple[int, Step | None]]:
        """Give steps, each with how much was read for it."""
