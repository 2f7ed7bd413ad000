"""What is guessed of each column, and that every guess gives its reason."""

from __future__ import annotations

import datetime as dt
import decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.guess import epoch_unit
from driftline.deploy.tables.plan import plan_table
from driftline.deploy.tables.roles import ColumnPlan

ROWS = 400
RNG = np.random.default_rng(3)
# Without a zone on purpose: such a time is taken as UTC.
MIDNIGHT = dt.datetime(2024, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None)
WORDS = pa.array(RNG.choice(["a", "b", "c"], ROWS).tolist())


def guessed(tmp_path: Path, **columns: pa.Array) -> dict[str, ColumnPlan]:
    """Guess a table of these columns beside one plain feature."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"plain": pa.array(RNG.normal(size=ROWS))} | columns), path)
    planned = plan_table(path)
    plan = planned.plan
    assert planned.rows == ROWS
    assert all(one.reason for one in plan.columns)
    return {one.name: one for one in plan.columns}


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array(RNG.integers(0, 9, ROWS)), "number"),
        (pa.array(RNG.normal(size=ROWS).astype(np.float16)), "number"),
        (pa.array([decimal.Decimal(i) / 4 for i in range(ROWS)], pa.decimal128(20, 6)), "number"),
        (pa.array(RNG.random(ROWS) > 0.5), "category"),
        (WORDS, "category"),
        (WORDS.dictionary_encode(), "category"),
        (WORDS.cast(pa.string_view()), "category"),
        (WORDS.cast(pa.large_string()), "category"),
        (pa.array([None if i % 3 else 1.0 for i in range(ROWS)]), "number"),
    ],
)
def test_features_by_type(tmp_path: Path, column: pa.Array, kind: str) -> None:
    """Numbers, decimals, booleans, texts and dictionaries are features, read as their values ask."""
    plan = guessed(tmp_path, colour=column)["colour"]
    assert (plan.role, plan.type) == ("feature", kind)


@pytest.mark.parametrize(
    ("name", "column", "words"),
    [
        ("same", pa.array([7] * ROWS), "constant"),
        ("void", pa.nulls(ROWS), "no value"),
        ("parts", pa.array([[1, 2]] * ROWS), "made of other values"),
        ("bytes", pa.array([b"x"] * ROWS), "made of other values"),
        ("note", pa.array([f"customer {i} called" for i in range(ROWS)]), "different"),
        ("essay", pa.array(["long words " * 20, "other words " * 20] * (ROWS // 2)), "free text"),
        ("user_id", pa.array(RNG.integers(0, 20, ROWS)), "identifier"),
        ("birthday", pa.array([dt.date(1990, 1, 1 + i % 28) for i in range(ROWS)]), "second time"),
    ],
)
def test_what_cannot_be_watched_is_left_out(tmp_path: Path, name: str, column: pa.Array, words: str) -> None:
    """Constants, empty columns, nested values, prose, keys and further times are left out with the reason."""
    when = pa.array(
        [dt.datetime(2024, 1, 1, tzinfo=dt.UTC)] * (ROWS - 1) + [dt.datetime(2024, 1, 2, tzinfo=dt.UTC)]
    )
    plan = guessed(tmp_path, **{"event_time": when, name: column})[name]
    assert plan.role == "ignore"
    assert words in plan.reason


@pytest.mark.parametrize(
    ("name", "column", "role"),
    [
        ("score", pa.array(RNG.random(ROWS)), "score"),
        ("p_default", pa.array(RNG.random(ROWS)), "score"),
        ("churn_probability", pa.array(RNG.random(ROWS)), "score"),
        ("credit_score", pa.array(RNG.integers(300, 850, ROWS)), "feature"),
        ("p_pressure", pa.array(RNG.normal(1000, 10, ROWS)), "feature"),
        ("prediction", pa.array(RNG.integers(0, 3, ROWS)), "predicted"),
        ("prediction", pa.array(RNG.normal(100, 9, ROWS)), "score"),
        ("predicted", WORDS, "predicted"),
        ("target", pa.array(RNG.integers(0, 2, ROWS)), "target"),
        ("y_true", pa.array(RNG.random(ROWS)), "target"),
        ("latency_ms", pa.array(RNG.random(ROWS)), "latency"),
        ("request_id", pa.array([f"r{i}" for i in range(ROWS)]), "id"),
        ("id", pa.array(range(ROWS)), "id"),
        ("id", pa.array([1, 2] * (ROWS // 2)), "ignore"),
    ],
)
def test_roles_by_name_and_values(tmp_path: Path, name: str, column: pa.Array, role: str) -> None:
    """A name counts only when the values agree with it: a credit score past 1 is an input."""
    assert guessed(tmp_path, **{name: column})[name].role == role


@pytest.mark.parametrize(
    ("name", "column", "kind"),
    [
        ("t0", pa.array([MIDNIGHT + dt.timedelta(minutes=i) for i in range(ROWS)]), "datetime"),
        ("day", pa.array([dt.date(2024, 1, 1 + i % 28) for i in range(ROWS)]), "datetime"),
        ("ts", pa.array([1_700_000_000 + i for i in range(ROWS)]), "s"),
        ("event_time", pa.array([1_700_000_000_000 + i for i in range(ROWS)]), "ms"),
        ("timestamp", pa.array([1_700_000_000_000_000 + i for i in range(ROWS)]), "us"),
        ("time", pa.array([f"2024-01-01T00:00:{i % 60:02d}Z" for i in range(ROWS)]), "text"),
    ],
)
def test_event_time(tmp_path: Path, name: str, column: pa.Array, kind: str) -> None:
    """A datetime of any name, whole numbers and texts of a time's name are the event time."""
    plan = guessed(tmp_path, **{name: column})[name]
    assert (plan.role, plan.type) == ("timestamp", kind)


def test_whole_numbers_out_of_range_are_no_time(tmp_path: Path) -> None:
    """A column named `time` that counts seconds of a day is a feature."""
    assert guessed(tmp_path, time=pa.array(range(ROWS)))["time"].role == "feature"


def test_the_best_named_time_wins(tmp_path: Path) -> None:
    """Of two times the better named is the event time, and the other is left out."""
    times = pa.array([MIDNIGHT + dt.timedelta(minutes=i) for i in range(ROWS)])
    plans = guessed(tmp_path, updated=times, event_time=times)
    assert (plans["updated"].role, plans["event_time"].role) == ("ignore", "timestamp")


def test_epoch_units_do_not_overlap() -> None:
    """The same instant in four units is told apart by its size."""
    scales = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    for year_2000_s in (946_684_800, 1_700_000_000, 4_102_444_800):
        assert {unit: epoch_unit(year_2000_s * k, year_2000_s * k) for unit, k in scales.items()} == {
            unit: unit for unit in scales
        }


def test_nothing_to_watch_is_an_error(tmp_path: Path) -> None:
    """A table of constants has nothing to watch, and the sentence says how to name something."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"same": [1] * 9}), path)
    with pytest.raises(TableError, match="no feature, score or predicted class"):
        plan_table(path)


def test_a_name_that_cannot_travel_is_an_error(tmp_path: Path) -> None:
    """A feature whose name has a space at its end is named, with what to do."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"age ": RNG.normal(size=9)}), path)
    with pytest.raises(TableError, match="column 'age ' cannot travel under this name"):
        plan_table(path)


@pytest.mark.parametrize("name", ["event_time", "date", "timestamp"])
@pytest.mark.parametrize("days", [3, 365])
def test_times_in_another_notation_are_named_as_such(tmp_path: Path, name: str, days: int) -> None:
    """A column named like a time whose texts are no ISO 8601 is left out, with what was seen and what is read."""
    texts = [f"{MIDNIGHT + dt.timedelta(days=365 + i % days):%d/%m/%Y}" for i in range(ROWS)]
    plan = guessed(tmp_path, **{name: pa.array(texts)})[name]
    assert plan.role == "ignore"
    assert "'31/12/2024'" in plan.reason
    assert "ISO 8601" in plan.reason


def test_times_with_and_without_a_zone_are_named_as_such(tmp_path: Path) -> None:
    """A column of ISO 8601 times of which some lack a zone is left out, with the first that differs."""
    texts = [f"2024-01-01T00:{i // 60:02}:{i % 60:02}{'Z' if i < 9 else ''}" for i in range(ROWS)]
    plan = guessed(tmp_path, event_time=pa.array(texts))["event_time"]
    assert plan.role == "ignore"
    assert "from '2024-01-01T00:00:09' on some times have a zone" in plan.reason


def test_words_for_a_time_of_day_stay_levels(tmp_path: Path) -> None:
    """A few words in a column named like a time are the levels of a feature."""
    plan = guessed(tmp_path, time_of_day=pa.array(["morning", "noon"] * (ROWS // 2)))["time_of_day"]
    assert (plan.role, plan.type) == ("feature", "category")
