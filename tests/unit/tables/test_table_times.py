"""Event times written as texts: which are read, to what, and what is said of the others."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv as pacsv
from pyarrow import parquet as pq

from driftline.deploy.compare.files import compare_files
from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.plan import plan_table
from driftline.deploy.tables.rows import table_rows

# 2024-01-01T00:00:00Z in ms since 1970.
NEW_YEAR_MS = 1_704_067_200_000
AS_PANDAS_WRITES = [
    "2024-01-01T00:00:00{}",
    "2024-01-01T00:00:03.525445923{}",
    "2024-01-01T00:00:04.000001{}",
]


def write(path: Path, texts: list[str]) -> Path:
    """Write a table of texts beside a feature, in the format that the name tells."""
    table = pa.table({"event_time": pa.array(texts, pa.string()), "x": [float(i) for i in range(len(texts))]})
    pacsv.write_csv(table, path) if path.suffix == ".csv" else pq.write_table(table, path)
    return path


def times(path: Path, mapping: Path | None = None) -> list[int]:
    """Read the event times of a table as they would be sent."""
    planned = plan_table(path, mapping)
    rows = table_rows(planned.source, planned.plan, "d", "1")
    return [int(time) for batch in rows for time in batch.times_ms]


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
@pytest.mark.parametrize("zone", ["+00:00", "Z", ""])
@pytest.mark.parametrize("told_by", ["guess", "mapping"])
def test_nanoseconds_are_read(tmp_path: Path, name: str, zone: str, told_by: str) -> None:
    """Texts with nanoseconds, as pandas writes them, are event times, guessed or mapped, rounded down to ms."""
    path = write(tmp_path / name, [text.format(zone) for text in AS_PANDAS_WRITES])
    mapping = tmp_path / "m.toml"
    mapping.write_text('[columns]\nevent_time = {role = "timestamp", type = "text"}\n')
    found = times(path, mapping if told_by == "mapping" else None)
    assert found == [NEW_YEAR_MS, NEW_YEAR_MS + 3_525, NEW_YEAR_MS + 4_000]


def test_a_mapped_time_in_another_notation_names_the_text(tmp_path: Path) -> None:
    """A column that a mapping calls the timestamp is refused with the text that is no ISO 8601 time."""
    path = write(tmp_path / "t.parquet", ["2024-12-30", "31/12/2024"])
    mapping = tmp_path / "m.toml"
    mapping.write_text('[columns]\nevent_time = "timestamp"\n')
    with pytest.raises(TableError, match="'31/12/2024' is no ISO 8601 time"):
        times(path, mapping)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([2**62, 1], pa.timestamp("s")),
        pa.array([2**62, 1], pa.timestamp("ms")),
        pa.array([-(2**62), 1], pa.timestamp("us")),
        pa.array([2**31 - 1, 1], pa.date32()),
    ],
)
def test_times_that_no_calendar_has_are_refused(tmp_path: Path, column: pa.Array) -> None:
    """Neither a year of seven digits nor one that would wrap around is taken for a time."""
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as file:
        table = pa.table({"event_time": column, "x": [1.0, 2.0]})
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(TableError, match="column 'event_time' has times outside the years 1 to 2199"):
        times(tmp_path / "t.arrow")


def test_the_first_and_the_last_times_are_compared(tmp_path: Path) -> None:
    """At both ends of what is read a comparison is made."""
    ends = [dt.datetime(1, 1, 1), dt.datetime(2199, 12, 31)]  # noqa: DTZ001 - taken as UTC
    pq.write_table(
        pa.table({"event_time": pa.array(ends, pa.timestamp("us")), "x": [1.0, 2.0]}), tmp_path / "t.parquet"
    )
    for width in ("5m", "1h", "1d", "7d", "1M"):
        compare_files(tmp_path / "t.parquet", tmp_path / "t.parquet", resolution=width)
