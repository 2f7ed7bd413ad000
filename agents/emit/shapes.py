"""The shape of an event: which columns it has, and how its values are taken out of a dict or a numpy row at once."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np

from driftline.agents.emit.errors import BadEvent
from driftline.agents.emit.options import Treatment
from driftline.schemas.names import MAX_COLUMNS, name_fault

# What one waiting event takes in memory, in bytes: its entry with id and time, and a boxed number.
ENTRY_BYTES: Final = 330
VALUE_BYTES: Final = 40
# The same as CPython's allocator counts it for numbers alone.
_LOOSE_ENTRY_BYTES: Final = 280
_LOOSE_VALUE_BYTES: Final = 32
# Text that an event may carry before it is counted by itself; events below are counted as if they had all of it.
LIGHT_TEXT_BYTES: Final = 1_024
# The same in characters, of which one takes at most four bytes.
LIGHT_TEXT_CHARS: Final = 256
# Scores and segments by name that an event may have before they are counted, and what one takes beside its name.
FEW_NAMED: Final = 16
NAMED_BYTES: Final = 128
SHAPES: Final = 1_024
# What one takes by itself, and for each of its names.
SHAPE_BYTES: Final = 768
_SHAPE_NAME_BYTES: Final = 32
# What of a feature's name counts nothing: some 45 characters.
SHORT_NAME_BYTES: Final = 96
# What their names may take together, long ones as they are, others as `SHORT_NAME_BYTES`.
SHAPE_NAMES_BYTES: Final = 3 << 20
# Sets of names that are remembered as good.
_CHECKED: Final = 16
# What takes no more than `VALUE_BYTES`, or little.
LIGHT_TYPES: Final = frozenset(
    {type(None), float, int, bool, complex, Decimal, dt.date, dt.datetime, dt.time, dt.timedelta}
    | {np.dtype(code).type for code in "?bhilqBHILQefdgMm"}
)
# The same without what may have any number of digits.
_LIGHT_SCALARS: Final = LIGHT_TYPES - {int, Decimal}
_GREAT: Final = 1 << 128
# `log` looks at one event in sixteen whether all that should be numbers are.
LOOK: Final = 15


class Row(NamedTuple):
    """One event as it waits. `log` appends plain tuples in this order: a NamedTuple costs three times as much."""

    shape: Shape
    values: Any
    time: float | int
    """Seconds of the emitter's clock (float) or ms that the caller gave (int)."""
    id: bytes
    score: Any
    predicted: Any
    latency_ms: Any
    status: Any
    segments: tuple[tuple[str, Any], ...] | None
    original_id: str | None


class Shape:
    """One set of columns. Equal sets of keys share one shape, whatever the order of a dict.

    `width` is the number of keys a dict must have. `copy` keeps what a dict holds at the moment: the dict's own copy,
    which costs a fifth of taking 25 values out, or those values where a column is dropped. `take` gives the values of
    the kept columns in the order of `names`. `texts` gives the values of a dict that have been something else than
    numbers and so must be measured before an event is let in (None while there are none), `rest` the others.
    `long_bytes` is what its names take past `SHORT_NAME_BYTES` each.
    """

    __slots__ = (
        "_weighed", "copy", "dtype", "kept", "long_bytes", "names", "rest", "row_nbytes", "take", "texts", "width",
    )  # fmt: skip

    def __init__(self, keys: Collection[str], treatments: Mapping[str, Treatment], dtype: Any = None) -> None:
        names = tuple(keys)
        if not names:
            raise BadEvent("the event has no features; give at least one")
        check_names("feature", names)
        self.width = len(names)
        self.kept = tuple(at for at, name in enumerate(names) if treatments.get(name) != "drop")
        self.names = tuple(names[at] for at in self.kept)
        if not self.names:
            raise BadEvent("the event has no features but dropped ones; give at least one that is kept")
        self.take = _taker(self.names)
        self.copy: Callable[[Any], Any] = dict.copy if len(self.names) == self.width else self.take
        self.texts: Callable[[Any], tuple[Any, ...]] | None = None
        self.rest: Callable[[Any], Iterable[Any]] = dict.values if self.copy is not self.take else self.take
        self._weighed: frozenset[str] = frozenset()
        self.dtype = None if dtype is None else np.dtype(dtype)
        holder = sys.getsizeof(dict.fromkeys(names).copy())
        self.row_nbytes = holder if self.dtype is None else self.dtype.itemsize * self.width
        # Events keep the names that they came with, which are seldom one object with those of others.
        long_names = () if self.dtype is not None else names
        self.long_bytes = sum(max(0, sys.getsizeof(name) - SHORT_NAME_BYTES) for name in long_names)

    @classmethod
    def none(cls) -> Shape:
        """A shape that no event has."""
        shape = cls(("none",), {})
        shape.width = -1
        return shape

    @property
    def row_bytes(self) -> int:
        """Memory that one waiting event of this shape takes at most, unless it is counted by itself."""
        boxes = VALUE_BYTES * len(self.names) if self.dtype is None else 0
        text = 0 if self.texts is None else LIGHT_TEXT_BYTES
        return ENTRY_BYTES + self.row_nbytes + boxes + self.long_bytes + text

    @property
    def loose_bytes(self) -> int:
        """Memory that one such event does take when it holds numbers, and leaves to the process's allocator."""
        boxes = _LOOSE_VALUE_BYTES * len(self.names) if self.dtype is None else 0
        return _LOOSE_ENTRY_BYTES + self.row_nbytes + boxes + self.long_bytes

    @property
    def size_bytes(self) -> int:
        """Memory of the shape itself, beside its names, which it shares with those that wait."""
        return SHAPE_BYTES + _SHAPE_NAME_BYTES * self.width

    def weigh(self, names: Collection[str]) -> None:
        """From now on measure these columns too."""
        weighed = self._weighed.union(names).intersection(self.names)
        if weighed != self._weighed and self.dtype is None:
            self._weighed = weighed
            self.rest = _taker(tuple(name for name in self.names if name not in weighed))
            self.texts = _taker(tuple(name for name in self.names if name in weighed))

    def holds_numbers(self, features: Any) -> bool:
        """Whether a dict holds numbers wherever it has always held them."""
        return LIGHT_TYPES.issuperset(map(type, self.rest(features)))

    def holds_little_text(self, features: Any) -> bool:
        """Whether what a dict holds where texts have been is short; raises for what is no text."""
        return self.texts is None or len("".join(self.texts(features))) < LIGHT_TEXT_CHARS

    def heavy_bytes(self, values: Collection[Any], *more: Any, named: Collection[str] = ()) -> int:
        """Size of an event that carries more text, or `named` values, than its shape allows for; 0 when it does not."""
        size = text_bytes(more) + (text_bytes(values) if self.dtype is None else 0)
        if named:
            named_bytes = text_bytes(named)
            if len(named) > FEW_NAMED or named_bytes > LIGHT_TEXT_BYTES:
                size += NAMED_BYTES * len(named) + named_bytes
        return size + self.row_bytes if size > LIGHT_TEXT_BYTES else 0


class ShapeBook:
    """The shapes one emitter has met: at most `SHAPES`, fewer wide ones. Past that it starts anew, which costs time."""

    def __init__(self, treatments: Mapping[str, Treatment]) -> None:
        self._treatments = treatments
        self._shapes: dict[frozenset[Any], Shape] = {}
        self._names_bytes = 0

    def find(self, features: Mapping[str, Any]) -> Shape:
        """The shape of a dict; raises BadEvent when its keys can be none."""
        try:
            keys = frozenset(features)
        except TypeError as error:
            raise BadEvent(f"the keys of the features cannot be hashed: {error}") from None
        shape = self._shapes.get(keys)
        if shape is None:
            shape = Shape(features, self._treatments)
            if len(self._shapes) >= SHAPES or self._names_bytes > SHAPE_NAMES_BYTES:
                self._shapes.clear()
                self._names_bytes = 0
            self._names_bytes += SHORT_NAME_BYTES * shape.width + shape.long_bytes
            self._shapes[keys] = shape
        return shape


def is_light(value: object) -> bool:
    """Whether a value is None or a number of a few bytes, which an event of any shape has room for."""
    kind = type(value)
    return kind in _LIGHT_SCALARS or (kind is int and -_GREAT < value < _GREAT)  # type: ignore[operator]


def are_light(predicted: Any, latency_ms: Any, status: Any) -> bool:
    """Whether a class, a latency and a status are light too, or short texts where they may be texts."""
    return (
        (latency_ms is None or type(latency_ms) is float or is_light(latency_ms))
        and (predicted is None or _is_short(predicted) or is_light(predicted))
        and (status is None or _is_short(status) or is_light(status))
    )


def _is_short(value: Any) -> bool:
    return type(value) is str and len(value) < LIGHT_TEXT_CHARS


def text_bytes(values: Collection[Any]) -> int:
    """Bytes of text (and of whatever else has a length) in some values, as a bound on what they keep in memory."""
    if set(map(type, values)) == {str} and all(map(str.isascii, values)):
        return sum(map(len, values))
    size = 0
    for value in values:
        if is_light(value):
            continue
        if isinstance(value, int):
            size += value.bit_length() // 8
        elif isinstance(value, str):
            size += len(value) * (1 if value.isascii() else 4)
        else:
            size += getattr(value, "nbytes", None) or _length(value) * VALUE_BYTES
    return size


def text_names(names: Collection[str], values: Collection[Any]) -> set[str]:
    """Names of the values whose size is not that of a number."""
    return {name for name, value in zip(names, values, strict=True) if type(value) not in LIGHT_TYPES}


def _length(value: Any) -> int:
    try:
        return len(value)
    except TypeError:
        return 1


def _taker(keys: tuple[Any, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if not keys:
        return lambda _holder: ()
    getter = itemgetter(*keys)
    if len(keys) > 1:
        return getter
    return lambda holder: (getter(holder),)


@lru_cache(_CHECKED)
def check_names(what: str, names: tuple[Any, ...]) -> None:
    """Raise BadEvent unless these can be the names of the columns of one event. What was good is remembered."""
    if len(names) > MAX_COLUMNS:
        raise BadEvent(f"the event has {len(names):,} {what}s; at most {MAX_COLUMNS:,} are allowed")
    for name in names:
        if not isinstance(name, str):
            raise BadEvent(
                f"the {what} name {name!r:.60} is of type {type(name).__name__}; names are strings"
            )
        fault = name_fault(name)
        if fault is not None:
            raise BadEvent(f"the {what} name {name[:60]!r} is none: {fault}")
