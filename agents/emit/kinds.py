"""What each column is, number or category, decided by the first value seen; and columns encoded so."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from driftline.agents.emit.options import Options
from driftline.agents.emit.values import hashed
from driftline.schemas.scalars import Kind, is_null, kind_of, number_of, text_of

Mask = NDArray[np.bool_] | None
REMEMBERED: Final = 16_384
"""Names whose kind is remembered; what any more are is decided batch by batch."""
# Whole numbers up to here are exact in float32.
EXACT_FLOAT32: Final = float(1 << 24)


@dataclass(slots=True)
class Numbers:
    """A numeric column: float32 or float64 (rows,), NaN under a gap."""

    values: NDArray[Any]
    nulls: Mask = None
    wrong: Mask = None


@dataclass(slots=True)
class Levels:
    """A categorical column: int32 codes (rows,) into `levels`, -1 for null and wrong."""

    levels: tuple[str, ...]
    codes: NDArray[np.int32]
    wrong: Mask = None


@dataclass(slots=True)
class Raw:
    """A column as it came: a numeric array with its nulls, codes with levels, or a list of values."""

    values: Any
    nulls: Mask = None
    levels: tuple[str, ...] | None = None

    @property
    def is_null(self) -> bool:
        """Whether it holds nothing."""
        if self.levels is not None:
            return bool((np.asarray(self.values) < 0).all())
        if isinstance(self.values, np.ndarray):
            return self.nulls is not None and bool(self.nulls.all())
        return all(value is None for value in self.values)

    def listed(self) -> list[Any]:
        """The values one by one, None for null."""
        values = self.values.tolist() if isinstance(self.values, np.ndarray) else list(self.values)
        if self.levels is not None:
            return [None if code < 0 else self.levels[code] for code in values]
        if self.nulls is None:
            return values
        return [None if null else value for value, null in zip(values, self.nulls, strict=True)]

    def cut(self, chosen: Callable[[Any], Any]) -> Raw:
        """The rows that a function gives of an array or a list."""
        return Raw(chosen(self.values), None if self.nulls is None else chosen(self.nulls), self.levels)


class Kinds:
    """The kinds of an emitter's columns, the first `REMEMBERED`. Kept over forks: a worker's children agree with it."""

    def __init__(self, options: Options) -> None:
        self._wide = set(options.float64)
        self._salt = options.salt
        self._hashed = {name for name, treatment in options.treatments.items() if treatment == "hashed"}
        self._forced = self._hashed | options.categorical
        self._kinds: dict[str, Kind] = dict.fromkeys(self._forced, "category")

    def encode(self, name: str, column: Raw) -> Numbers | Levels:
        """Encode one column; decides its kind if nothing has yet."""
        kind = self._kinds.get(name) or self._decide(name, column)
        if kind == "category":
            out = self._category(name, column)
            if name in self._hashed:
                out.levels = tuple(hashed(level, self._salt) for level in out.levels)
            return out
        numbers, widest = encode_numbers(column)
        is_wide = widest or name in self._wide
        if is_wide and len(self._wide) < REMEMBERED:
            self._wide.add(name)
        if not is_wide:
            numbers.values = _narrow(numbers.values)
        return numbers

    def score(self, name: str, column: Raw) -> Numbers:
        """Encode a score: always a number, float64 when `float64` names it or a feature of its name is that wide."""
        numbers, _ = encode_numbers(column)
        if name not in self._wide:
            numbers.values = _narrow(numbers.values)
        return numbers

    def _decide(self, name: str, column: Raw) -> Kind:
        """Fix the kind by the first value that has one; a column of nulls alone stays open and travels as numbers."""
        if column.levels is not None:
            found: Kind | None = "category"
        elif isinstance(column.values, np.ndarray):
            open_yet = column.nulls is not None and bool(column.nulls.all())
            found = None if open_yet else "number"
        else:
            found = next((kind for value in column.values if (kind := kind_of(value))), None)
        if found is None:
            return "number"
        if len(self._kinds) < REMEMBERED:
            self._kinds[name] = found
        return found

    def _category(self, name: str, column: Raw) -> Levels:
        if column.levels is not None:
            return only_used(column.levels, np.asarray(column.values, np.int32))
        if isinstance(column.values, np.ndarray):
            return encode_levels(column.listed(), any_type=name in self._forced)
        return encode_levels(column.values, any_type=name in self._forced)


def encode_numbers(column: Raw) -> tuple[Numbers, bool]:
    """Give a column as float64 with its gaps, and whether it holds an integer that float32 cannot carry."""
    values = column.values
    if column.levels is not None:
        is_null = np.asarray(values) < 0
        return Numbers(np.full(len(values), np.nan), _some(is_null), _some(~is_null)), False
    if isinstance(values, np.ndarray):
        out = values.astype(np.float64)
        if column.nulls is not None:
            out[column.nulls] = np.nan
        return Numbers(out, column.nulls), values.dtype.kind in "iu" and _is_beyond(out)
    numbers = _plain_numbers(values) or _numbers_one_by_one(values)
    return numbers, _is_beyond(numbers.values) and _has_great_integer(values)


def _plain_numbers(values: Sequence[Any]) -> Numbers | None:
    """The fast ways: numbers alone, numbers and None; None for anything else."""
    try:
        # array("d") takes what is a number and refuses texts; it is the fastest way from objects to floats.
        return Numbers(np.array(array("d", values)))
    except BaseException:  # noqa: BLE001 - an object of the application may do anything when it is read
        if not set(map(type, values)) <= {float, int, type(None)}:
            return None
    nulls = np.fromiter((value is None for value in values), np.bool_, len(values))
    try:
        return Numbers(np.array(array("d", [np.nan if value is None else value for value in values])), nulls)
    except OverflowError:
        return None


def encode_levels(values: Sequence[Any], *, any_type: bool) -> Levels:
    """Give a column of texts (or booleans) as levels in order of appearance and codes.

    `any_type` turns numbers and times into levels too; otherwise they are wrong in a category.
    """
    if set(map(type, values)) <= {str, type(None)}:
        index = dict.fromkeys(values)
        index.pop(None, None)
        levels = tuple(index)
        if all(map(str.isascii, levels)):
            table: dict[str | None, int] = {level: code for code, level in enumerate(levels)}
            table[None] = -1
            return Levels(levels, np.fromiter(map(table.__getitem__, values), np.int32, len(values)))
    return _levels_one_by_one(values, any_type=any_type)


def only_used(levels: tuple[str, ...], codes: NDArray[np.int32]) -> Levels:
    """Leave out the levels that no row has: a slice of a table carries its own, not the whole table's."""
    used = np.unique(codes[codes >= 0])
    if len(used) == len(levels):
        return Levels(levels, codes)
    table = np.full(len(levels) + 1, -1, np.int32)  # the last one is where -1 points
    table[used] = np.arange(len(used), dtype=np.int32)
    return Levels(tuple(levels[code] for code in used.tolist()), table[codes])


def _levels_one_by_one(values: Sequence[Any], *, any_type: bool) -> Levels:
    table: dict[str, int] = {}
    codes = np.full(len(values), -1, np.int32)
    wrong = np.zeros(len(values), np.bool_)
    for row, value in enumerate(values):
        if is_null(value) or (isinstance(value, float | np.floating) and value != value):  # noqa: PLR0124 - NaN
            continue
        fits = any_type or isinstance(value, str | bool | np.bool_)
        text = text_of(value) if fits else None
        if text is None:
            wrong[row] = True
        else:
            codes[row] = table.setdefault(text, len(table))
    return Levels(tuple(table), codes, _some(wrong))


def _numbers_one_by_one(values: Sequence[Any]) -> Numbers:
    out = np.full(len(values), np.nan)
    nulls = np.zeros(len(values), np.bool_)
    wrong = np.zeros(len(values), np.bool_)
    for row, value in enumerate(values):
        number = None if is_null(value) else number_of(value)
        if number is not None:
            out[row] = number
        elif is_null(value):
            nulls[row] = True
        else:
            wrong[row] = True
    return Numbers(out, _some(nulls), _some(wrong))


def _is_beyond(values: NDArray[Any]) -> bool:
    return bool((np.abs(values) > EXACT_FLOAT32).any())


def _has_great_integer(values: Sequence[Any]) -> bool:
    """Whether a value is an integer (or a time, which is a count too) beyond 2^24; floats say how wide they are."""
    whole = (value for value in values if not isinstance(value, float | np.floating | str | None))
    return any(abs(number_of(value) or 0.0) > EXACT_FLOAT32 for value in whole)


def _some(mask: NDArray[np.bool_]) -> Mask:
    return mask if mask.any() else None


def _narrow(values: NDArray[Any]) -> NDArray[np.float32]:
    # A float64 beyond float32's range becomes infinite, which is data: counted as nonfinite.
    with np.errstate(over="ignore"):
        return values.astype(np.float32)
