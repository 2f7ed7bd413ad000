"""A row whose time no reader would take is refused alone: at the readers it would cost its whole batch."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from emit_fakes import columns_of, sink
from emit_rig import spooled

from driftline.schemas.ids import id_of
from driftline.schemas.partition import partition_of
from driftline.schemas.settings import Kafka, Settings, Worker
from driftline.streams.windows import intake

NOW_MS = int(time.time() * 1000)
DAY_MS = 86_400_000
GOOD = NOW_MS - DAY_MS
ROWS = 600
BAD_TIMES: dict[str, Any] = {
    "a day ahead": NOW_MS + DAY_MS,
    "the year 2100": 4_102_444_800_000,
    "after 2199": 8_000_000_000_000,
    "before 1970": -1,
}
BAD_OBJECTS: dict[str, Any] = BAD_TIMES | {
    "no time": None,
    "seconds": 1.5,
    "without a zone": dt.datetime(2024, 1, 1),  # noqa: DTZ001 - that is the point
    "numpy's time that is none": np.datetime64("NaT"),
    "a text": "2024-01-01",
    "pandas' time that is none": pd.NaT,
}


def invalid(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of invalid rows."""
    return [record.message for record in caplog.records if "invalid" in record.message]


@pytest.mark.parametrize("what", BAD_OBJECTS)
def test_of_many_predictions_only_those_are_refused(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Two rows of 600 are invalid, said once; the others travel with their ids, whatever holds their values."""
    at: list[Any] = [GOOD + row for row in range(ROWS)]
    at[3] = at[599] = BAD_OBJECTS[what]
    kept = [row for row in range(ROWS) if row not in {3, 599}]
    columns = {
        "n": np.arange(ROWS, dtype=np.float64),
        "t": [f"level-{row}" for row in range(ROWS)],
        "m": np.ma.MaskedArray(np.arange(ROWS), mask=np.arange(ROWS) % 2 == 0),
    }
    keys = [f"order-{row}" for row in range(ROWS)]
    with sink(tmp_path) as out, caplog.at_level(logging.WARNING, "driftline.emit"):
        ids = out.emitter.log_many(columns, np.arange(ROWS), at=at, ids=keys, segments={"s": keys})
        batches = out.batches()
        stats = out.stats()
    assert stats.ledger() == {
        "enqueued": ROWS,
        "delivered": 0,
        "dropped": {"invalid": 2},
        "spooled": ROWS - 2,
        "in_flight": 0,
    }
    assert len(invalid(caplog)) == 1
    assert [bytes(key) for key in ids] == [id_of(key) for key in keys]
    assert [key for one in batches for key in one.original_ids] == [keys[row] for row in kept]
    assert [int(ms) for one in batches for ms in one.times_ms] == [at[row] for row in kept]
    found = [columns_of(one) for one in batches]
    assert [value for one in found for value in one["n"]] == kept
    assert [value for one in found for value in one["t"]] == [f"level-{row}" for row in kept]
    assert [value for one in found for value in one["m"]] == [row if row % 2 else None for row in kept]


@pytest.mark.parametrize("what", [what for what, value in BAD_OBJECTS.items() if value is not None])
def test_of_many_labels_only_those_are_refused(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One label of 500 is invalid, said once; the others travel; one without a time became known now."""
    known: list[Any] = [GOOD] * 500
    known[7] = BAD_OBJECTS[what]
    keys = [f"order-{row}" for row in range(500)]
    with sink(tmp_path) as out, caplog.at_level(logging.WARNING, "driftline.emit"):
        out.emitter.label_many(keys, [1.0] * 500, known_at=known)
        batches = out.batches(labels=True)
        assert out.stats().dropped == {"invalid": 1}
    assert [key for one in batches for key in one.original_ids] == keys[:7] + keys[8:]
    assert len(invalid(caplog)) == 1


@pytest.mark.parametrize("what", BAD_TIMES)
def test_single_events_and_labels_of_no_time_are_refused(tmp_path: Path, what: str) -> None:
    """`log` and `label` refuse them as the calls for many do."""
    with sink(tmp_path) as out:
        out.emitter.log({"a": 1.0}, at=BAD_TIMES[what])
        out.emitter.log({"a": 2.0}, at=GOOD)
        out.emitter.label("x", 1.0, known_at=BAD_TIMES[what])
        assert columns_of(out.batch()) == {"a": [2]}
        assert out.stats().dropped == {"invalid": 2}


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"])
@pytest.mark.parametrize("great", [2**62, -(2**62), 2**62 + 2**40])
def test_times_whose_milliseconds_overflow_are_refused(tmp_path: Path, unit: str, great: int) -> None:
    """A time of numpy too great for milliseconds is invalid alone, in every call; it is never wrapped to another."""
    good = np.datetime64("2024-01-01", unit)
    times = np.array([good.astype(np.int64), great, good.astype(np.int64)], f"datetime64[{unit}]")
    with sink(tmp_path) as out:
        out.emitter.log_many({"a": [1.0, 2.0, 3.0]}, at=times)
        out.emitter.log_many({"a": [1.0, 2.0, 3.0]}, at=list(times))
        if unit in {"s", "ms", "us", "ns"}:  # the others are no unit of a frame
            out.emitter.log_frame(pa.table({"a": [1.0, 2.0, 3.0], "t": times}), at="t")
        for value in times:
            out.emitter.log({"a": 1.0}, at=value)
        found = [int(ms) for one in out.batches() for ms in one.times_ms]
        dropped = out.stats().dropped
    assert set(found) == {int(good.astype("datetime64[ms]").astype(np.int64))}
    assert dropped == {"invalid": len(found) // 2}
    assert len(found) in {6, 8}


@pytest.mark.parametrize("unit", ["h", "s"])
def test_labels_whose_milliseconds_overflow_are_refused(tmp_path: Path, unit: str) -> None:
    """A label known at a time too great for milliseconds is invalid."""
    with sink(tmp_path) as out:
        out.emitter.label("x", 1.0, known_at=np.datetime64(2**62, unit))
        out.emitter.label_many(["y"], [1.0], known_at=np.array([2**62], f"datetime64[{unit}]"))
        assert out.stats().dropped == {"invalid": 2}
        assert out.batches(labels=True) == []


def test_times_of_labels_may_be_a_column(tmp_path: Path) -> None:
    """Ids, values and times of pandas, of which one is none: that label alone is invalid."""
    known = pd.Series(
        [dt.datetime(2024, 1, 1, tzinfo=dt.UTC), pd.NaT, dt.datetime(2024, 1, 2, tzinfo=dt.UTC)]
    )
    with sink(tmp_path) as out:
        out.emitter.label_many(pd.Series(["a", "b", "c"]), pd.Series([1, 2, 3]), known_at=known)
        (batch,) = out.batches(labels=True)
        assert out.stats().dropped == {"invalid": 1}
    assert batch.original_ids == ["a", "c"]
    assert batch.numbers.tolist() == [1, 3]
    assert batch.known_at_ms.tolist() == [1_704_067_200_000, 1_704_153_600_000]


FRAMES: dict[str, Callable[[list[Any]], Any]] = {
    "pandas": lambda times: pd.DataFrame({"a": [1.0, 2.0, 3.0], "t": pd.to_datetime(times, utc=True)}),
    "polars": lambda times: pl.DataFrame({"a": [1.0, 2.0, 3.0], "t": times}),
    "arrow": lambda times: pa.table({"a": [1.0, 2.0, 3.0], "t": pa.array(times, pa.timestamp("us", "UTC"))}),
    "arrow, whole numbers": lambda times: pa.table(
        {
            "a": [1.0, 2.0, 3.0],
            "t": pa.array([None if one is None else int(one.timestamp() * 1000) for one in times]),
        }
    ),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frames_rows_of_no_time_are_refused_alone(tmp_path: Path, kind: str) -> None:
    """A row without a time and one of the future are invalid; the third travels."""
    times = [None, dt.datetime(2100, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)]
    with sink(tmp_path) as out:
        out.emitter.log_frame(FRAMES[kind](times), at="t")
        assert columns_of(out.batch()) == {"a": [3]}
        assert out.stats().dropped == {"invalid": 2}


def test_when_no_row_is_left_nothing_travels(tmp_path: Path) -> None:
    """Rows of the future alone are all counted, and no empty batch is sealed."""
    with sink(tmp_path) as out:
        ids = out.emitter.log_many({"a": np.zeros(20_000)}, at=np.full(20_000, NOW_MS + DAY_MS))
        assert len({bytes(key) for key in ids}) == 20_000
        assert out.stats().dropped == {"invalid": 20_000}
        assert out.batches() == []


def test_the_bound_is_the_readers_setting(tmp_path: Path) -> None:
    """With a day allowed an event half a day ahead travels; past a day it does not."""
    settings = Settings(kafka=Kafka(bootstrap="127.0.0.1:9"), worker=Worker(future_ms=DAY_MS))
    with sink(tmp_path, settings=settings) as out:
        out.emitter.log({"a": 1.0}, at=NOW_MS + DAY_MS // 2)
        out.emitter.log({"a": 2.0}, at=NOW_MS + 2 * DAY_MS)
        assert columns_of(out.batch()) == {"a": [1]}
        assert out.stats().dropped == {"invalid": 1}


def test_a_clock_that_runs_ahead_is_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An application's clock that is a zone ahead makes invalid events, not batches that readers refuse."""
    with (
        sink(tmp_path, clock=lambda: time.time() + 7_200) as out,
        caplog.at_level(logging.WARNING, "driftline.emit"),
    ):
        for at in range(40):
            out.emitter.log({"a": float(at)})
        out.emitter.log_many({"a": [1.0, 2.0]})
        out.emitter.label("x", 1.0)
        assert out.stats().dropped == {"invalid": 43}
        assert out.batches() == []
    assert "ahead of this machine's clock, 600000 ms are allowed" in invalid(caplog)[0]


def test_readers_take_what_the_emitter_lets_through(tmp_path: Path) -> None:
    """Of times from far past to far future, the batches that are sealed are all taken by the rule of the readers."""
    steps = (-(10**11), -DAY_MS, 0, 590_000, 610_000, DAY_MS, 10**12)
    with sink(tmp_path) as out:
        now_ms = int(time.time() * 1000)
        out.emitter.log_many(
            {"a": np.arange(700.0)}, at=np.array([now_ms + steps[row % 7] for row in range(700)])
        )
        stats = out.stats()
        sealed = spooled(tmp_path)
    assert stats.dropped == {"invalid": 300}
    arrived_ms = int(time.time() * 1000)
    deployment = b"d"
    taken = [
        intake.read(one, deployment, partition_of(deployment, 4), 4, arrived_ms, Worker().future_ms)
        for one in sealed
    ]
    assert sum(cols.rows for cols in taken) == 400
