"""Many predictions as columns: what `log_many` was given, or what waiting events become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline.agents.emit.kinds import Raw
from driftline.agents.emit.shapes import Shape


@dataclass(slots=True)
class Chunk:
    """Some rows as columns. Its arrays and lists may be the caller's, until they are packed."""

    rows: int
    ids: NDArray[np.uint8]
    times_ms: NDArray[np.int64]
    features: Mapping[str, Raw]
    originals: list[str | None] | None = None
    scores: Mapping[str, Raw] = field(default_factory=dict)
    predicted: Raw | None = None
    latency_ms: Raw | None = None
    status: Raw | None = None
    segments: Mapping[str, Raw] = field(default_factory=dict)
    is_timed: bool = False
    """Whether the caller gave the times, or rows are to be refused."""
    fault: str = ""
    """Why rows have no time, when some have none: they are refused."""
    shapes: frozenset[Shape] = frozenset()
    """Of events that were told one by one, each with names of its own."""

    def part(self, start: int, stop: int) -> Chunk:
        """The rows from start to before stop."""
        return self._cut(stop - start, lambda values: values[start:stop])

    def bare(self) -> Chunk:
        """The same without the columns that hold nothing, but for features that all events were told with.

        So of one event that was told by itself stays what it was told with, as if no other had been beside it; a null
        that it was told with goes too, where others lacked its name.
        """
        if not self.shapes:
            return self
        common = frozenset[str].intersection(*(frozenset(shape.names) for shape in self.shapes))
        return replace(
            self,
            features={name: raw for name, raw in self.features.items() if name in common or not raw.is_null},
            scores={name: raw for name, raw in self.scores.items() if not raw.is_null},
            segments={name: raw for name, raw in self.segments.items() if not raw.is_null},
        )

    def where(self, mask: NDArray[np.bool_]) -> Chunk:
        """The rows that a mask (rows,) names."""

        def chosen(values: Any) -> Any:
            return values[mask] if isinstance(values, np.ndarray) else list(compress(values, mask))

        return self._cut(int(mask.sum()), chosen)

    def _cut(self, rows: int, chosen: Callable[[Any], Any]) -> Chunk:
        def cut(column: Raw | None) -> Raw | None:
            return None if column is None else column.cut(chosen)

        return Chunk(
            rows=rows,
            ids=chosen(self.ids),
            times_ms=chosen(self.times_ms),
            features={name: column.cut(chosen) for name, column in self.features.items()},
            originals=None if self.originals is None else chosen(self.originals),
            scores={name: column.cut(chosen) for name, column in self.scores.items()},
            predicted=cut(self.predicted),
            latency_ms=cut(self.latency_ms),
            status=cut(self.status),
            segments={name: column.cut(chosen) for name, column in self.segments.items()},
            shapes=self.shapes,
        )
