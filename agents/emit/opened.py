"""Packed rows while they are sealed: whole columns again, of one call or of many calls with the same columns."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.agents.emit.chunk import Chunk
from driftline.agents.emit.kinds import Raw
from driftline.agents.emit.shapes import Shape

LIST: Final = "x"
"""The form of a column that is a list."""
REST: Final = "r"
"""The form of a column that is a list of other things than plain ones."""
_LAYOUTS: Final = 16


class Layout(NamedTuple):
    """Which columns rows have, by name and in order; `singles` are predicted class, latency and status."""

    features: tuple[str, ...]
    scores: tuple[str, ...]
    segments: tuple[str, ...]
    singles: tuple[str, ...]

    @classmethod
    def of(cls, chunk: Chunk) -> Layout:
        """The layout of a chunk; equal ones are mostly one object."""
        singles = tuple(
            name for name in ("predicted", "latency_ms", "status") if getattr(chunk, name) is not None
        )
        return _layout(tuple(chunk.features), tuple(chunk.scores), tuple(chunk.segments), singles)

    @property
    def width(self) -> int:
        """Number of columns."""
        return sum(map(len, self))

    @property
    def size_bytes(self) -> int:
        """Memory of the names, and of their places in here."""
        return sum(sys.getsizeof(names) + sum(map(sys.getsizeof, names)) for names in self)


@lru_cache(_LAYOUTS)
def _layout(*names: tuple[str, ...]) -> Layout:
    return Layout(*names)


@dataclass(slots=True)
class Opened:
    """Packed rows while they are sealed: a matrix (columns, rows) a type of number, and lists."""

    layout: Layout
    forms: str
    rows: int
    ids: NDArray[np.uint8]
    times_ms: NDArray[np.int64]
    blocks: dict[str, NDArray[Any]]
    lists: list[list[Any]]
    levels: dict[int, tuple[str, ...]]
    nulls: dict[int, NDArray[np.bool_]]
    originals: list[str | None] | None
    rest: Mapping[int, list[Any]]
    shapes: frozenset[Shape]

    def part(self, start: int, stop: int) -> Opened:
        """The rows from start to before stop."""
        if start == 0 and stop == self.rows:
            return self
        return Opened(
            layout=self.layout,
            forms=self.forms,
            rows=stop - start,
            ids=self.ids[start:stop],
            times_ms=self.times_ms[start:stop],
            blocks={form: block[:, start:stop] for form, block in self.blocks.items()},
            lists=[values[start:stop] for values in self.lists],
            levels=self.levels,
            nulls={at: mask[start:stop] for at, mask in self.nulls.items()},
            originals=None if self.originals is None else self.originals[start:stop],
            rest={at: values[start:stop] for at, values in self.rest.items()},
            shapes=self.shapes,
        )

    def columns(self) -> list[Raw]:
        """Every column, in the order of the layout."""
        blocks = {form: iter(block) for form, block in self.blocks.items()}
        lists = iter(self.lists)
        found = []
        for at, form in enumerate(self.forms):
            if form == LIST:
                found.append(Raw(next(lists)))
            elif form == REST:
                found.append(Raw(self.rest[at]))
            else:
                found.append(Raw(next(blocks[form]), self.nulls.get(at), self.levels.get(at)))
        return found


def joined(parts: Sequence[Opened]) -> Chunk:
    """Rows of one layout, one after another, as one chunk."""
    first = parts[0]
    if all(one.forms == first.forms and not one.levels and not one.rest for one in parts):
        return _chunk(_stacked(parts))
    columns = [_joined_column(column) for column in zip(*(one.columns() for one in parts), strict=True)]
    return _chunk(_framed(parts), columns)


def _stacked(parts: Sequence[Opened]) -> Opened:
    if len(parts) == 1:
        return parts[0]
    whole = _framed(parts)
    whole.blocks = {
        form: np.concatenate([one.blocks[form] for one in parts], axis=1) for form in whole.blocks
    }
    whole.lists = [
        [value for values in column for value in values]
        for column in zip(*(one.lists for one in parts), strict=True)
    ]
    whole.nulls = {
        at: np.concatenate([_mask(one.nulls.get(at), one.rows) for one in parts])
        for at in dict.fromkeys(at for one in parts for at in one.nulls)
    }
    return whole


def _framed(parts: Sequence[Opened]) -> Opened:
    """What rows have beside their columns."""
    first = parts[0]
    originals = None
    if any(one.originals is not None for one in parts):
        originals = [value for one in parts for value in one.originals or [None] * one.rows]
    return Opened(
        layout=first.layout,
        forms=first.forms,
        rows=sum(one.rows for one in parts),
        ids=np.concatenate([one.ids for one in parts]),
        times_ms=np.concatenate([one.times_ms for one in parts]),
        blocks=first.blocks,
        lists=first.lists,
        levels=first.levels,
        nulls=first.nulls,
        originals=originals,
        rest=first.rest,
        shapes=frozenset().union(*(one.shapes for one in parts)),
    )


def _joined_column(raws: Sequence[Raw]) -> Raw:
    first = raws[0]
    alike = isinstance(first.values, np.ndarray) and all(
        isinstance(one.values, np.ndarray)
        and one.values.dtype == first.values.dtype
        and one.levels == first.levels
        for one in raws
    )
    if not alike:
        return Raw([value for one in raws for value in one.listed()])
    nulls = None
    if any(one.nulls is not None for one in raws):
        nulls = np.concatenate([_mask(one.nulls, len(one.values)) for one in raws])
    return Raw(np.concatenate([one.values for one in raws]), nulls, first.levels)


def _mask(mask: NDArray[np.bool_] | None, rows: int) -> NDArray[np.bool_]:
    return np.zeros(rows, np.bool_) if mask is None else mask


def _chunk(rows: Opened, columns: Sequence[Raw] | None = None) -> Chunk:
    found = iter(rows.columns() if columns is None else columns)
    features, scores, segments, singles = (dict(zip(names, found, strict=False)) for names in rows.layout)
    return Chunk(
        rows=rows.rows,
        ids=rows.ids,
        times_ms=rows.times_ms,
        features=features,
        originals=rows.originals,
        scores=scores,
        segments=segments,
        shapes=rows.shapes,
        predicted=singles.get("predicted"),
        latency_ms=singles.get("latency_ms"),
        status=singles.get("status"),
    )
