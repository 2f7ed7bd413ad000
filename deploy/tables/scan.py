"""One pass over a table that gathers what a guess about each column rests on, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import compute as pc

from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.iso import first_unread, read

if TYPE_CHECKING:
    from driftline.deploy.tables.source import TableSource

DISTINCT_CAP = 2_000
"""Distinct values held per column; a column with more is only known to have more."""

SAMPLE_ROWS = 65_536
"""Rows over which uniqueness is judged: a full count would hold the whole column."""


@dataclass(slots=True)
class Facts:
    """What one pass tells of one column."""

    name: str
    type: pa.DataType
    rows: int = 0
    nulls: int = 0
    low: Any = None
    """Least value of a column that has an order (times as integers of their unit); None when it has no
    value."""
    high: Any = None
    distinct: set[Any] = field(default_factory=set)
    """Up to DISTINCT_CAP + 1 of the values."""
    sample_values: int = 0
    """Values (not nulls) among the first SAMPLE_ROWS rows."""
    sample_distinct: int = 0
    text_length: float = 0.0
    """Mean length of the sampled texts, in characters."""
    reads_as_time: bool = False
    """Whether every sampled text reads as an ISO 8601 time."""
    not_a_time: str = ""
    """The first sampled text that does not; empty when all do."""

    @property
    def all_null(self) -> bool:
        """Whether the column holds no value at all."""
        return self.nulls == self.rows

    @property
    def constant(self) -> bool:
        """Whether the column holds one value and no null."""
        return self.nulls == 0 and len(self.distinct) == 1

    @property
    def many(self) -> bool:
        """Whether the column holds more than DISTINCT_CAP different values."""
        return len(self.distinct) > DISTINCT_CAP

    @property
    def unique_share(self) -> float:
        """Share of different values among the sampled ones; 0 without values."""
        return self.sample_distinct / self.sample_values if self.sample_values else 0.0


def scan(source: TableSource) -> list[Facts]:
    """Read the table once and return the facts of each column, in the table's order.

    Raises:
        TableError: the table has no rows or no column that can be used, or cannot be read.

    """
    facts = [Facts(column.name, column.type) for column in source.schema]
    seen = [one for one in facts if not is_nested(one.type)]
    if not seen:
        first, more = facts[0], len(facts) - 1
        raise TableError(
            f"{source.path} has no column that can be used: {first.name!r} holds {first.type}"
            f"{f', and {more} more like it' if more else ''}; give numbers, texts or times, one a column"
        )
    for batch in source.batches([one.name for one in seen]):
        for one, column in zip(seen, batch.columns, strict=True):
            _absorb(one, column)
    rows = max((one.rows for one in facts), default=0)
    if rows == 0:
        raise TableError(f"{source.path} has no rows: give a table with rows")
    for one in facts:
        one.rows = rows
    return facts


def is_nested(kind: pa.DataType) -> bool:
    """Whether a value of this type is made of parts or of raw bytes, which no bin can hold."""
    if pa.types.is_dictionary(kind):
        return is_nested(kind.value_type)
    return bool(
        pa.types.is_nested(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_interval(kind)
        or isinstance(kind, pa.BaseExtensionType)
    )


def is_text(kind: pa.DataType) -> bool:
    """Whether values of this type are strings, dictionary-encoded ones included."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def plain(column: pa.Array) -> pa.Array:
    """Give a column in a type that all kernels know: its values and their order are the same.

    Dictionaries and runs become their values, string views strings, half floats float32, decimals float64.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain(column.dictionary_decode())
    if pa.types.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(column))
    if pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    return column.cast(pa.float64()) if pa.types.is_decimal(kind) else column


def _absorb(one: Facts, stored: pa.Array) -> None:
    column = plain(stored)
    if pa.types.is_temporal(column.type):
        # Python's datetime has no nanoseconds: times are compared as the integers they are.
        column = pc.cast(pc.cast(column, _temporal_integer(column.type)), pa.int64())
    if one.rows < SAMPLE_ROWS:
        _sample(one, column[: SAMPLE_ROWS - one.rows])
    one.rows += len(column)
    one.nulls += column.null_count
    if column.null_count == len(column):
        return
    if _is_ordered(column.type):
        ends = pc.min_max(column).as_py()
        one.low = ends["min"] if one.low is None else min(one.low, ends["min"])
        one.high = ends["max"] if one.high is None else max(one.high, ends["max"])
    if not one.many:
        room = DISTINCT_CAP + 1 - len(one.distinct)
        fresh = pc.drop_null(pc.unique(column))
        if one.distinct:
            fresh = fresh.filter(
                pc.invert(pc.is_in(fresh, value_set=pa.array(list(one.distinct), fresh.type)))
            )
        one.distinct.update(fresh[:room].to_pylist())


def _sample(one: Facts, column: pa.Array) -> None:
    values = pc.drop_null(column)
    if len(values) == 0:
        return
    first = one.sample_values == 0
    before = one.sample_values
    one.sample_values += len(values)
    one.sample_distinct += pc.count_distinct(values).as_py()
    if not is_text(column.type):
        return
    mean = pc.mean(pc.utf8_length(values)).as_py()
    one.text_length = (one.text_length * before + mean * len(values)) / one.sample_values
    if (first or one.reads_as_time) and read(values) is None:
        one.not_a_time = first_unread(values)
    one.reads_as_time = not one.not_a_time


def _is_ordered(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or is_text(kind)
    )


def _temporal_integer(kind: pa.DataType) -> pa.DataType:
    return pa.int32() if kind.bit_width == 32 else pa.int64()  # noqa: PLR2004 - date32 and time32
