"""Opening and reading a person's file: formats, types, and what is said of a file that is no table."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, feather, ipc
from pyarrow import parquet as pq

from driftline.deploy.tables.errors import TableError, suggestion
from driftline.deploy.tables.plan import plan_table
from driftline.deploy.tables.scan import scan
from driftline.deploy.tables.source import BATCH_ROWS, open_table

TABLE = pa.table({"age": [31, 40, None], "city": ["Oslo", None, "Rome"], "weight": [70.5, 81.0, 64.25]})


def write(table: pa.Table, path: Path) -> Path:
    """Write a table in the format its suffix names."""
    writers = {".parquet": pq.write_table, ".csv": csv.write_csv, ".feather": feather.write_feather}
    writers[path.suffix](table, path)
    return path


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.feather"])
def test_every_format_reads_the_same(tmp_path: Path, name: str) -> None:
    """Parquet, CSV and feather give the same names, types and values."""
    source = open_table(write(TABLE, tmp_path / name))
    assert source.schema.equals(TABLE.schema)
    assert pa.Table.from_batches(source.batches()).equals(TABLE)


def test_an_arrow_stream_is_told_by_its_bytes(tmp_path: Path) -> None:
    """The name of a file does not matter: an Arrow stream called .bin is read as one."""
    path = tmp_path / "t.bin"
    with ipc.new_stream(str(path), TABLE.schema) as writer:
        writer.write_table(TABLE)
    source = open_table(path)
    assert source.format == "arrow stream"
    assert pa.Table.from_batches(source.batches(["city"])).equals(TABLE.select(["city"]))


def test_batches_are_bounded(tmp_path: Path) -> None:
    """No batch has more rows than stated, whatever the file's own chunks are."""
    table = pa.table({"x": pa.array(range(BATCH_ROWS + 10))})
    for name in ("t.parquet", "t.feather", "t.csv"):
        sizes = [batch.num_rows for batch in open_table(write(table, tmp_path / name)).batches()]
        assert sum(sizes) == table.num_rows
        assert max(sizes) <= BATCH_ROWS


def test_csv_types_hold_for_the_whole_file(tmp_path: Path) -> None:
    """Whole numbers for ten megabytes and then 1.5 make a column of numbers, not an error."""
    path = tmp_path / "t.csv"
    with path.open("w") as file:
        file.write("a,b,c\n")
        file.writelines(f"{i},{'x' * 40},true\n" for i in range(200_000))
        file.write("1.5,y,maybe\n")
    source = open_table(path)
    assert source.schema.types == [pa.float64(), pa.string(), pa.string()]
    *_, last = source.batches(["a"])
    assert last.column(0)[-1].as_py() == 1.5


def test_csv_reads_zip_of_words_times_and_other_delimiters(tmp_path: Path) -> None:
    """Gzip, semicolons, ISO times and the usual words for null are understood."""
    path = tmp_path / "t.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("when;n;flag\n2024-01-01T00:00:00Z;NA;true\n2024-01-01 00:00:01Z;3;false\n")
    source = open_table(path)
    assert source.schema.types == [pa.timestamp("us", tz="UTC"), pa.int64(), pa.bool_()]
    assert next(source.batches(["n"])).column(0).to_pylist() == [None, 3]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("photo.png", b"\x89PNG\r\n\x1a\n\x00\x00", "neither parquet, Arrow nor CSV"),
        ("empty.csv", b"", "empty file"),
        ("header.csv", b"a,b\n", "no rows"),
        ("torn.parquet", b"PAR1" + b"\x00" * 64, "no table that can be read"),
        ("torn.arrow", b"ARROW1\x00\x00" + b"\x00" * 64, "no table that can be read"),
        ("twice.csv", b"a,a\n1,2\n", "two columns named 'a'"),
        ("ragged.csv", b"a,b\n1,2\n1,2,3\n", "no table that can be read"),
    ],
)
def test_what_is_no_table_is_said_in_one_sentence(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    """A wrong file gives one sentence that names it, and no traceback of a library."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TableError) as told:
        open_table(path)
    assert words in str(told.value)
    assert name in str(told.value)
    assert "\n" not in str(told.value)


def test_a_missing_file_suggests_the_nearest(tmp_path: Path) -> None:
    """A misspelt file name is answered with the file that lies beside it."""
    write(TABLE, tmp_path / "flights.parquet")
    with pytest.raises(TableError, match=r"did you mean 'flights\.parquet'"):
        open_table(tmp_path / "flihgts.parquet")


def test_a_missing_column_suggests_the_nearest(tmp_path: Path) -> None:
    """A misspelt column is answered with the nearest one the table has."""
    source = open_table(write(TABLE, tmp_path / "t.parquet"))
    with pytest.raises(TableError, match="no column 'wieght': did you mean 'weight'"):
        list(source.batches(["wieght"]))


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    """A parquet file with columns and no rows is named as such."""
    source = open_table(write(TABLE.slice(0, 0), tmp_path / "t.parquet"))
    with pytest.raises(TableError, match="no rows"):
        scan(source)


def test_a_table_of_nested_columns_alone_is_not_said_to_be_empty(tmp_path: Path) -> None:
    """Rows that nobody can count because no column is read are rows; the sentence names the column and its type."""
    table = pa.table({"tags": [[1, 2]] * 500, "raw": [b"x"] * 500})
    with pytest.raises(TableError) as told:
        scan(open_table(write(table, tmp_path / "t.parquet")))
    assert "no column that can be used: 'tags' holds list" in str(told.value)
    assert "and 1 more like it; give" in str(told.value)
    assert "no rows" not in str(told.value)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A directory is no table, and the sentence says what to give."""
    with pytest.raises(TableError, match="is a directory"):
        open_table(tmp_path)


def test_suggestion_lists_what_is_known_when_nothing_is_near() -> None:
    """Without a near name the known ones are listed, at most twelve."""
    assert suggestion("qqq", [f"column{i}" for i in range(20)]).endswith("and 8 more")


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe that nobody writes to is not waited for; neither is a device read without an end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(TableError, match="is no regular file, and a table is read more than once"):
            open_table(path)


@pytest.mark.parametrize("name", ["x" * 300, "file/below"])
def test_a_path_that_cannot_be_is_one_sentence(tmp_path: Path, name: str) -> None:
    """A name too long for the system and a folder that is a file are refused like a missing file."""
    (tmp_path / "file").touch()
    with pytest.raises(TableError, match=r"there is no file|cannot be looked at"):
        open_table(tmp_path / name)


def bad_texts() -> pa.Table:
    """A text column that holds bytes which are no UTF-8."""
    offsets, data = pa.py_buffer(np.array([0, 1, 2], np.int32).tobytes()), pa.py_buffer(b"\xff\xfe")
    return pa.table({"city": pa.Array.from_buffers(pa.string(), 2, [None, offsets, data]), "x": [1.0, 2.0]})


@pytest.mark.parametrize("name", ["t.parquet", "t.feather"])
def test_bytes_that_are_no_text_are_one_sentence(tmp_path: Path, name: str) -> None:
    """A text column of other bytes than UTF-8 is refused before anything reads it."""
    source = open_table(write(bad_texts(), tmp_path / name))
    with pytest.raises(
        TableError, match=r"cannot be read as .*: In column 0: Invalid: Invalid UTF8 sequence"
    ):
        scan(source)


def test_a_damaged_file_sends_nothing_to_the_terminal(tmp_path: Path) -> None:
    """What a parser quotes of a file is shown without characters that a terminal would obey."""
    (tmp_path / "t.csv").write_bytes(b"a,b\n1\x1b[31m\n")
    with pytest.raises(TableError) as caught:
        open_table(tmp_path / "t.csv")
    assert str(caught.value).isprintable()


def test_more_columns_than_can_travel_are_refused(tmp_path: Path) -> None:
    """A table of 5,000 columns is one sentence, found in the time of one look."""
    path = write(pa.table({f"c{number}": [1.0, 2.0] for number in range(5_000)}), tmp_path / "t.parquet")
    with pytest.raises(TableError, match="5,000 columns to watch, and at most 4,096 can travel"):
        plan_table(path)
