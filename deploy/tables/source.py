"""A table file as a stream of record batches: format told from its bytes, memory bounded."""

from __future__ import annotations

import stat
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import ipc
from pyarrow import parquet as pq

from driftline.deploy.tables.delimited import csv_batches, csv_schema
from driftline.deploy.tables.errors import TableError, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BATCH_ROWS = 65_536
"""Rows of one batch: 25 float64 features of it are 13 MB."""

PARQUET_MAGIC = b"PAR1"
ARROW_FILE_MAGIC = b"ARROW1"
ARROW_STREAM_MAGIC = b"\xff\xff\xff\xff"
TEXT_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".gz", ".bz2", ".zst"})


@dataclass(frozen=True, slots=True)
class TableSource:
    """One table on disk: where it lies, which format it has, and the types of its columns."""

    path: Path
    format: str
    schema: pa.Schema

    def require(self, columns: Sequence[str]) -> None:
        """Check that the table has these columns.

        Raises:
            TableError: naming the first one missing and the nearest name the table has.

        """
        have = set(self.schema.names)
        for name in columns:
            if name not in have:
                hint = suggestion(name, self.schema.names)
                raise TableError(f"{self.path.name} has no column {name!r}: {hint}")

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Read the rows in the file's order, at most BATCH_ROWS at a time.

        Args:
            columns: the columns to read, in this order; all of them when None.

        Raises:
            TableError: a column is missing, or the file is damaged.

        """
        names = list(self.schema.names if columns is None else columns)
        self.require(names)
        try:
            for batch in self._read(names):
                # A damaged file may hold offsets beyond its bytes, or bytes that are no text.
                batch.validate(full=True)
                for start in range(0, batch.num_rows, BATCH_ROWS):
                    yield batch.select(names).slice(start, BATCH_ROWS)
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"{self.path} cannot be read as {self.format}: {one_line(error)}") from error

    def _read(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        if self.format == "parquet":
            with pq.ParquetFile(self.path) as file:
                yield from file.iter_batches(batch_size=BATCH_ROWS, columns=names)
        elif self.format == "csv":
            yield from csv_batches(self.path, self.schema, names)
        else:
            yield from _arrow_batches(self.path, self.format)


def open_table(path: Path) -> TableSource:
    """Open a table: parquet, Arrow (file or stream, also named feather) or CSV, told apart by content.

    Raises:
        TableError: there is no such file, it is no file or no table, it has no columns, or two columns share a name.

    """
    _check_file(path)
    source = _opened(path)
    if not source.schema.names:
        raise TableError(f"{path} has no columns: give a table with at least one feature")
    for name, times in Counter(source.schema.names).items():
        if times > 1:
            raise TableError(f"{path} has two columns named {name!r}: rename one of them")
    return source


def _check_file(path: Path) -> None:
    """Look before opening: a pipe would be waited for, and cannot be read twice."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        beside = _files_of(path.parent)
        hint = suggestion(path.name, beside) if beside else "check the path"
        raise TableError(f"there is no file {path}: {hint}") from None
    except OSError as error:
        raise TableError(f"{path} cannot be looked at ({error.strerror}): check the path") from error
    if stat.S_ISDIR(mode):
        raise TableError(f"{path} is a directory: name one parquet, CSV or Arrow file in it")
    if not stat.S_ISREG(mode):
        raise TableError(
            f"{path} is no regular file, and a table is read more than once: save it to a file first"
        )


def _files_of(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir() if path.is_file()]
    except OSError:  # it is not there either, or may not be listed
        return []


def _opened(path: Path) -> TableSource:
    try:
        with path.open("rb") as file:
            head = file.read(4096)
        if not head:
            raise TableError(f"{path} is an empty file: give a parquet, CSV or Arrow table")
        kind = _format(path, head)
        if kind == "parquet":
            return TableSource(path, kind, pq.read_schema(path))
        if kind == "csv":
            return TableSource(path, kind, csv_schema(path))
        with pa.OSFile(str(path)) as raw:
            reader = ipc.open_file(raw) if kind == "arrow" else ipc.open_stream(raw)
            return TableSource(path, kind, reader.schema)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path} is no table that can be read: {one_line(error)}") from error


def _format(path: Path, head: bytes) -> str:
    if head.startswith(PARQUET_MAGIC):
        return "parquet"
    if head.startswith(ARROW_FILE_MAGIC):
        return "arrow"
    if head.startswith(ARROW_STREAM_MAGIC):
        return "arrow stream"
    if path.suffix.lower() in TEXT_SUFFIXES or _is_text(head):
        return "csv"
    raise TableError(
        f"{path} is neither parquet, Arrow nor CSV: convert it, or check that it is the file you meant"
    )


def _is_text(head: bytes) -> bool:
    """Whether the first bytes could be a CSV of any name: text, with more than one column."""
    if b"\0" in head:
        return False
    first = head.split(b"\n", 1)[0]
    return b"\n" in head and (b"," in first or b"\t" in first or b";" in first)


def _arrow_batches(path: Path, kind: str) -> Iterator[pa.RecordBatch]:
    with pa.memory_map(str(path)) as raw:
        if kind == "arrow":
            file = ipc.open_file(raw)
            stored = (file.get_batch(i) for i in range(file.num_record_batches))
        else:
            stored = iter(ipc.open_stream(raw))
        yield from stored


def one_line(error: BaseException) -> str:
    """Give another library's error as the end of a sentence, without what a terminal would obey."""
    text = "".join(
        one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in " ".join(str(error).split())
    )
    return text[:200] or type(error).__name__
