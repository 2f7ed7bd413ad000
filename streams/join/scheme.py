"""Scheme: what a model version's answers mean and how truth is held against them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.schemas.number_text import number_text
from driftline.streams.join.labels import NUMBER
from driftline.streams.join.vocabulary import NONE
from driftline.streams.windows.edges import single_valued

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from driftline.schemas.floors import Task
    from driftline.schemas.shapes import Category
    from driftline.streams.stats.class_calibration import ClassCalibration

OTHER: Final = "other"
"""What values of a segment are called that are none of its levels."""
UNKNOWN: Final = -1
"""Index of a class that the scheme does not have, or of none."""
SPLIT: Final = "/"
"""In an identity, before that of segments where they are not those of the profile."""
CLASSES_MAX: Final = 100
"""Classes with a row of their own in the confusion; a profile with more is counted without one."""
_SAME: Final[Mapping[str, str]] = MappingProxyType({"1": "true", "true": "1", "0": "false", "false": "0"})
"""How one and the same truth is written by a library that has booleans and by one that has not."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A declared segment: rows are told apart by its values, `levels` by their place, then `other`, then none.

    Attributes:
        name: of the column.
        levels: the reference's most frequent values.
        reference: the value that the others are held against; None for the best one.
    """

    name: str
    levels: tuple[str, ...]
    reference: str | None = None

    @property
    def nowhere(self) -> int:
        """The place of rows without a value."""
        return len(self.levels) + 1

    def places_of(self, column: Category) -> NDArray[np.uint8]:
        """Give the place of each row of a column; uint8 (rows,)."""
        known = {level: at for at, level in enumerate(self.levels)}
        table = [*(known.get(level, len(self.levels)) for level in column.levels), self.nowhere]
        return np.array(table, np.uint8)[column.codes]

    def value_at(self, place: int) -> str | None:
        """Give the value at a place: a level, or `other`; None for rows without a value."""
        if place == self.nowhere:
            return None
        return self.levels[place] if place < len(self.levels) else OTHER


@dataclass(frozen=True, slots=True, eq=False)
class Scheme:
    """How predictions and labels of one model version are held against each other.

    Attributes:
        digest: of the profile.
        identity: of all that is said here, that of segments after `SPLIT`; outcomes of one identity add up, and the
            totals of those that are alike before it.
        task: `binary` (one score, the probability of the positive class), `classes` (a score a class, or none), or
            `regression` (one score, the predicted number).
        classes: in the order of the confusion; of a binary task (negative, positive); empty for regression.
        scores: names of the scores that are read, in order: one, or one a class.
        threshold: of a binary score; above it the model says the positive class, where the event carries none.
        edges: float64, ascending, of the score bins; bin j is (edges[j-1], edges[j]].
        coarse_edges: some of them, for the score bins of segments.
        dtype: of that score as it travels.
        segments: by whose values figures are split.
        quantiles: of a regression, the scores that are declared to be quantiles, and which: above 0, below 1.
        calibration: of many classes, what the scores meant in the reference; None where that is not known.
    """

    digest: str
    task: Task
    classes: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    threshold: float = 0.5
    edges: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    coarse_edges: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    dtype: str = "float64"
    segments: tuple[Segment, ...] = ()
    quantiles: tuple[tuple[str, float], ...] = ()
    calibration: ClassCalibration | None = None
    identity: str = ""

    def __post_init__(self) -> None:
        """A scheme that nobody changed is that of its profile."""
        if not self.identity:
            object.__setattr__(self, "identity", self.digest)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the scores that are kept of a prediction: those that are read, then quantiles."""
        return (*self.scores, *(name for name, _ in self.quantiles if name not in self.scores))

    @property
    def values(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """What rows are told apart by: the segments and their levels."""
        return tuple((segment.name, segment.levels) for segment in self.segments)

    @property
    def coarse(self) -> Scheme:
        """The scheme that the values of segments are counted by: fewer score bins, no segments, no estimate."""
        return replace(self, edges=self.coarse_edges, segments=(), calibration=None)

    @property
    def bins(self) -> int:
        """Number of score bins of a binary task; 0 otherwise."""
        return len(self.edges) + 1 if self.task == "binary" else 0

    @property
    def atoms(self) -> NDArray[np.bool_]:
        """Which score bins can hold one score only, so that they hide no order; bool (B,)."""
        return single_valued(self.edges, self.dtype)

    def travelled(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give scores as they are in the profile's width, by which bins and ties go, whatever width they came in."""
        if np.can_cast(scores.dtype, self.dtype):
            return scores.astype(np.float64, copy=False)
        most = np.finfo(self.dtype).max
        held = np.where(np.isfinite(scores), np.clip(scores, -most, most), scores)  # what is finite stays so
        return held.astype(self.dtype).astype(np.float64)

    def index_of(self, text: str) -> int:
        """Give the place of a class, `UNKNOWN` for one that is not of the scheme."""
        for name in (text, _SAME.get(text)):
            if name in self.classes:
                return self.classes.index(name)
        return UNKNOWN

    def true_classes(
        self, code: NDArray[np.int16], number: NDArray[np.float64], texts: Sequence[str]
    ) -> NDArray[np.int64]:
        """Give the class of each label, `UNKNOWN` where it names none; int64 (n,).

        Args:
            code: of `LabelRows`.
            number: of `LabelRows`.
            texts: the vocabulary's.
        """
        found = self.named_classes(code, texts)
        numbers = np.flatnonzero(code == NUMBER)
        if len(numbers):
            distinct, which = np.unique(number[numbers], return_inverse=True)
            of = np.array([self.index_of(number_text(value)) for value in distinct.tolist()], np.int64)
            found[numbers] = of[which]
        return found

    def named_classes(self, code: NDArray[np.int16], texts: Sequence[str]) -> NDArray[np.int64]:
        """Give the class of each code of the vocabulary, `UNKNOWN` for what names none; int64 (n,)."""
        table = np.array([*(self.index_of(text) for text in texts), UNKNOWN], np.int64)
        return table[np.where(code < 0, NONE, code)]
