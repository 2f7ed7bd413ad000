"""Predictions and labels in memory: columns of one batch, whatever record they came from. Data only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(slots=True)
class NumericBlock:
    """Numeric columns of one width: `values` is (len(names), rows), float32 or float64, C order."""

    names: tuple[str, ...]
    values: NDArray[np.float32] | NDArray[np.float64]


@dataclass(slots=True)
class Category:
    """One column of strings: `codes` is int32 (rows,), an index into `levels`, or -1 for null."""

    name: str
    levels: tuple[str, ...]
    codes: NDArray[np.int32]


@dataclass(slots=True)
class Gap:
    """Rows of one feature or score without a usable value: bool (rows,) each, None for no such row.

    Under a gap a numeric column holds NaN and a category holds -1. `nulls` is for numeric columns, since a
    category's -1 is null already; `wrong` (a value of a type the column cannot carry) is for both. No row is
    in both.
    """

    name: str
    nulls: NDArray[np.bool_] | None
    wrong: NDArray[np.bool_] | None


@dataclass(slots=True)
class Identity:
    """The seal: batch `seq` of life `epoch` of emitter `instance`, for its topic and deployment."""

    instance: str
    epoch: int
    seq: int


@dataclass(slots=True)
class PredictionColumns:
    """Predictions of one deployment, model version and slot.

    `ids` is uint8 (rows, 16); `times_ms` int64 (rows,), event time in ms since 1970 UTC; `latency_ms` float32
    (rows,), NaN where unknown; `identity` is None for plain producers, whose batches are at-least-once; `counters_only`
    names features and segments that may be counted and must not be stored. `times_ms` is not to be changed once
    `span_ms` was asked for.
    """

    deployment: str
    model_version: str
    slot: str
    rows: int
    identity: Identity | None
    ids: NDArray[np.uint8]
    original_ids: list[str | None] | None
    times_ms: NDArray[np.int64]
    features: list[NumericBlock] = field(default_factory=list)
    categories: list[Category] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    scores: list[NumericBlock] = field(default_factory=list)
    predicted: Category | None = None
    segments: list[Category] = field(default_factory=list)
    latency_ms: NDArray[np.float32] | None = None
    status: Category | None = None
    counters_only: tuple[str, ...] = ()
    _span_ms: tuple[int, int] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def span_ms(self) -> tuple[int, int]:
        """The least and the greatest event time; every stage of a worker asks for it, so it is kept."""
        if self._span_ms is None:
            self._span_ms = int(self.times_ms.min()), int(self.times_ms.max())
        return self._span_ms


@dataclass(slots=True)
class LabelColumns:
    """Labels of one deployment.

    `known_at_ms` is int64 (rows,), ms since 1970 UTC; `numbers` float64 (rows,), NaN where the row has a
    class or is withdrawn; `classes` has -1 where it has a number or is withdrawn; `withdrawn` bool (rows,),
    None for no such row.
    """

    deployment: str
    rows: int
    identity: Identity | None
    ids: NDArray[np.uint8]
    original_ids: list[str | None] | None
    known_at_ms: NDArray[np.int64]
    numbers: NDArray[np.float64] | None = None
    classes: Category | None = None
    withdrawn: NDArray[np.bool_] | None = None
