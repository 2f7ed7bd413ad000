"""CSV with types found over the whole file: the fortieth megabyte may hold the first `1.5`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import csv as pacsv

from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.iso import KINDS, to_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK_BYTES = 8 << 20
"""One block of text in memory; a row must fit in it."""

NULL_WORDS = ["", "NA", "N/A", "NULL", "NaN", "nan", "null", "None", "#N/A"]
"""Cells that mean "no value", in text columns too: as pandas and R read them."""

DELIMITERS = (",", "\t", ";", "|")
# Narrowest first; a block's type is the first one every value of it can be read as.
CANDIDATES: tuple[pa.DataType, ...] = (
    pa.int64(),
    pa.float64(),
    pa.bool_(),
    *KINDS,
)


def csv_schema(path: Path) -> pa.Schema:
    """Find the columns of a CSV and the narrowest type that holds every value of each.

    The types tried are int64, float64, bool (true, false), ISO 8601 time with and without a zone; else text.

    Raises:
        TableError: the file has a header and no rows.

    """
    text = _text_reader(path)
    types: list[pa.DataType] = [pa.null()] * len(text.schema.names)
    rows = 0
    for batch in text:
        rows += batch.num_rows
        types = [
            _join(found, _type_of(column, found)) for found, column in zip(types, batch.columns, strict=True)
        ]
    if rows == 0:
        raise TableError(f"{path} has a header and no rows: give a table with rows")
    return pa.schema(list(zip(text.schema.names, types, strict=True)))


def csv_batches(path: Path, schema: pa.Schema, names: list[str]) -> Iterator[pa.RecordBatch]:
    """Read the named columns in the types that `csv_schema` found."""
    for batch in _text_reader(path):
        arrays = [_cast(batch.column(name), schema.field(name).type) for name in names]
        yield pa.RecordBatch.from_arrays(arrays, names=names)


def delimiter(path: Path) -> str:
    """Tell the delimiter from the header: the one that stands in it most often, a comma when none does."""
    with pa.input_stream(str(path), compression="detect") as file:
        head: bytes = file.read(1 << 16) or b""
    header = head.split(b"\n", 1)[0].decode("utf-8", "replace")
    return max(DELIMITERS, key=header.count)


def _text_reader(path: Path) -> pacsv.CSVStreamingReader:
    """Open the file with every cell as text (null words as null); compression is told from the name."""
    separator = delimiter(path)
    with pacsv.open_csv(str(path), parse_options=pacsv.ParseOptions(delimiter=separator)) as first:
        names = first.schema.names
    return pacsv.open_csv(
        str(path),
        read_options=pacsv.ReadOptions(block_size=BLOCK_BYTES),
        parse_options=pacsv.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=NULL_WORDS, strings_can_be_null=True
        ),
    )


def _type_of(column: pa.Array, at_least: pa.DataType) -> pa.DataType:
    """Find the narrowest type of one block's values, no narrower than what the blocks before it need."""
    if column.null_count == len(column):
        return pa.null()
    if at_least == pa.string():
        return pa.string()
    for candidate in CANDIDATES:
        if candidate == pa.bool_() and not _only_true_false(column):
            continue
        try:
            _cast(column, candidate)
        except pa.ArrowInvalid:
            continue
        return candidate
    return pa.string()


def _cast(column: pa.Array, to: pa.DataType) -> pa.Array:
    if pa.types.is_null(to):
        return pa.nulls(len(column), pa.null())
    if to == pa.string():
        return column
    trimmed = pc.utf8_trim_whitespace(column)
    return to_time(trimmed, to) if pa.types.is_timestamp(to) else pc.cast(trimmed, to)


def _only_true_false(column: pa.Array) -> bool:
    words = pc.is_in(
        pc.utf8_lower(pc.utf8_trim_whitespace(column)), value_set=pa.array(["true", "false", None])
    )
    return bool(pc.all(words).as_py())


@functools.cache
def _join(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    """Give the narrowest type that holds the values of both: integers widen to floats, all else to text."""
    if left == right or pa.types.is_null(right):
        return left
    if pa.types.is_null(left):
        return right
    if {left, right} == {pa.int64(), pa.float64()}:
        return pa.float64()
    return pa.string()
