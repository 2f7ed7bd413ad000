"""Rows as they wait: their columns end to end in one place on a shelf, what is no number among them marshalled.

A place on a shelf goes back to the system whole, and its size is what it takes. A column of objects that marshal does
not know for certain (dates, decimals, what an application made) stays a list, and counts as such.
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from driftline.agents.emit.chunk import Chunk
from driftline.agents.emit.kinds import Raw
from driftline.agents.emit.opened import LIST, REST, Layout, Opened
from driftline.agents.emit.shapes import VALUE_BYTES, Shape, text_bytes
from driftline.agents.emit.shelf import Shelf
from driftline.agents.emit.values import as_kept
from driftline.schemas.ids import ID_BYTES

PACKED_BYTES: Final = 1_024
"""Memory of packed rows beside their place: objects."""
# The same of a list that is kept beside it.
_REST_BYTES: Final = 192
_TIME_BYTES: Final = 8
_NONE: Final = type(None)
_NARROW: Final = frozenset({np.float64, np.float32, np.float16})
_FLOATS: Final = _NARROW | {float, _NONE}
_INTEGERS: Final = frozenset({int, _NONE} | {np.dtype(code).type for code in "bhilqBHI"})
# What marshal gives back as it was; of a numpy scalar it would keep the bytes alone.
_PLAIN: Final = frozenset({_NONE, bool, int, float, complex, str})


@dataclass(slots=True)
class Packed:
    """Packed rows.

    `forms` has a letter a column: numpy's of its type, or one that says that it is among the marshalled lists or in
    `rest`. `size_bytes` is all the memory they take, `loose_bytes` the part of it that is objects of Python's.
    """

    layout: Layout
    forms: str
    rows: int
    data: memoryview
    tail_at: int
    rest: Mapping[int, list[Any]]
    shapes: frozenset[Shape]
    loose_bytes: int

    @property
    def size_bytes(self) -> int:
        """Memory of all of it, but for the names of its columns."""
        return len(self.data) + self.loose_bytes + _shapes_bytes(self.shapes)

    @property
    def names_bytes(self) -> int:
        """Memory of the names of its columns, and of their one shape: what waits with the same names shares it."""
        shape_bytes = sum(shape.size_bytes for shape in self.shapes) if len(self.shapes) == 1 else 0
        return self.layout.size_bytes + shape_bytes

    @property
    def row_text_bytes(self) -> int:
        """Bytes of what is no number, a row on average."""
        return (len(self.data) - self.tail_at + self.loose_bytes - PACKED_BYTES) // self.rows

    def opened(self) -> Opened:
        """The rows as columns again; arrays are views of the place, lists are new."""
        rows, data = self.rows, self.data
        at = (ID_BYTES + _TIME_BYTES) * rows
        blocks = {}
        for form in _by_size(self.forms):
            count = self.forms.count(form)
            dtype = np.dtype(form)
            blocks[form] = np.frombuffer(data, dtype, count * rows, at).reshape(count, rows)
            at += count * rows * dtype.itemsize
        tail = marshal.loads(data[self.tail_at :]) if self.tail_at < len(data) else ([], {}, {}, None)  # noqa: S302 - our own bytes
        lists, levels, nulls, originals = tail
        return Opened(
            layout=self.layout,
            forms=self.forms,
            rows=rows,
            ids=np.frombuffer(data, np.uint8, ID_BYTES * rows).reshape(rows, ID_BYTES),
            times_ms=np.frombuffer(data, np.int64, rows, ID_BYTES * rows),
            blocks=blocks,
            lists=lists,
            levels=levels,
            nulls={place: np.frombuffer(mask, np.bool_) for place, mask in nulls.items()},
            originals=originals,
            rest=self.rest,
            shapes=self.shapes,
        )


@dataclass(slots=True)
class Parcel:
    """A chunk about to be packed: its size is known, its numbers are not copied yet."""

    chunk: Chunk
    layout: Layout
    forms: str
    groups: Mapping[str, list[NDArray[Any]]]
    tail: bytes
    rest: Mapping[int, list[Any]]
    tail_at: int
    loose_bytes: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.chunk.rows

    @property
    def size_bytes(self) -> int:
        """Memory that the rows will take, but for the names of their columns."""
        return self.tail_at + len(self.tail) + self.loose_bytes + _shapes_bytes(self.chunk.shapes)

    def laid(self, shelf: Shelf) -> Packed:
        """Copy the rows to a shelf."""
        rows = self.rows
        place = shelf.place(self.tail_at + len(self.tail))
        place[: ID_BYTES * rows] = self.chunk.ids.tobytes()
        at = (ID_BYTES + _TIME_BYTES) * rows
        place[ID_BYTES * rows : at] = self.chunk.times_ms.tobytes()
        for form in _by_size(self.forms):
            group = self.groups[form]
            block = np.frombuffer(place, form, len(group) * rows, at)
            np.concatenate(group, out=block)
            at += block.nbytes
        place[self.tail_at :] = self.tail
        return Packed(
            self.layout,
            self.forms,
            rows,
            place.toreadonly(),
            self.tail_at,
            self.rest,
            self.chunk.shapes,
            self.loose_bytes,
        )


def parcel(chunk: Chunk) -> Parcel:
    """Make a chunk ready to be packed."""
    layout = Layout.of(chunk)
    forms: list[str] = []
    groups: dict[str, list[NDArray[Any]]] = {}
    lists: list[Sequence[Any]] = []
    levels: dict[int, tuple[str, ...]] = {}
    nulls: dict[int, NDArray[np.bool_]] = {}
    rest: dict[int, list[Any]] = {}
    for at, raw in enumerate(_columns(chunk, layout)):
        values, mask = raw.values, raw.nulls
        if not isinstance(values, np.ndarray):
            values, mask = _array_or_list(values)
        if isinstance(values, np.ndarray):
            form = values.dtype.char
            groups.setdefault(form, []).append(values)
            if mask is not None:
                nulls[at] = np.ascontiguousarray(mask)
            if raw.levels is not None:
                levels[at] = raw.levels
        elif _PLAIN.issuperset(map(type, values)):
            form = LIST
            lists.append(values)
        else:
            form = REST
            rest[at] = list(values)
        forms.append(form)
    letters, rows = "".join(forms), chunk.rows
    tail = b""
    if lists or levels or nulls or chunk.originals is not None:
        tail = marshal.dumps((lists, levels, nulls, chunk.originals))
    row_bytes = sum(len(group) * group[0].itemsize for group in groups.values())
    tail_at = (ID_BYTES + _TIME_BYTES + row_bytes) * rows
    loose_bytes = (
        PACKED_BYTES
        + len(letters)
        + sum(_REST_BYTES + VALUE_BYTES * len(values) + text_bytes(values) for values in rest.values())
    )
    return Parcel(chunk, layout, letters, groups, tail, rest, tail_at, loose_bytes)


def _shapes_bytes(shapes: frozenset[Shape]) -> int:
    """Memory of the shapes of unlike events; one alone counts with the names."""
    return sum(shape.size_bytes for shape in shapes) if len(shapes) > 1 else 0


def _columns(chunk: Chunk, layout: Layout) -> list[Raw]:
    singles = [getattr(chunk, name) for name in layout.singles]
    return [*chunk.features.values(), *chunk.scores.values(), *chunk.segments.values(), *singles]


def _by_size(forms: str) -> list[str]:
    """The types of number among the forms of columns, the widest first: so each begins where it may."""
    found = set(forms) - {LIST, REST}
    return sorted(found, key=lambda form: (-np.dtype(form).itemsize, form))


def _array_or_list(values: Sequence[Any]) -> tuple[Any, NDArray[np.bool_] | None]:
    """Values as float64 or int64 and a mask of nulls where they say the same so; else as a list of plain ones."""
    kinds = set(map(type, values))
    if kinds == {_NONE}:
        return values, None
    try:
        if kinds <= _FLOATS:
            return (
                _with_nulls(values, np.nan, np.float64)
                if _NONE in kinds
                else (np.array(array("d", values)), None)
            )
        if kinds <= _INTEGERS:
            return _with_nulls(values, 0, np.int64) if _NONE in kinds else (np.array(values, np.int64), None)
    except OverflowError:
        pass
    return (values if kinds <= _PLAIN else list(map(_plain, values))), None


def _with_nulls(values: Sequence[Any], fill: float, dtype: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    nulls = np.fromiter((value is None for value in values), np.bool_, len(values))
    return np.array([fill if value is None else value for value in values], dtype), nulls


def _plain(value: Any) -> Any:
    """A text or a number of another type as the plain one that says the same; anything else as it may wait."""
    kind = type(value)
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, np.bool_ | np.integer) or kind in _NARROW:
        return value.item()
    return as_kept(value)
