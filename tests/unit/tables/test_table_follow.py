"""A table that is sent follows the profile of its model version."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from driftline.deploy.tables.build import build_from_table
from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.plan import Planned, plan_table
from driftline.schemas.profile import Profile

ROWS = 300
RNG = np.random.default_rng(5)
REFERENCE = {
    "age": RNG.normal(size=ROWS),
    "zone": RNG.choice(["a", "b"], ROWS).tolist(),
    "same": [1] * ROWS,
    "score": RNG.random(ROWS),
}


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    """A profile of three columns; `same` was constant and is not in it."""
    pq.write_table(pa.table(REFERENCE), tmp_path / "reference.parquet")
    planned = plan_table(tmp_path / "reference.parquet")
    return build_from_table(planned, "d", "1", provenance="held-out").profile


def planned(tmp_path: Path, profile: Profile, mapping: str | None = None, **columns: object) -> Planned:
    """Plan a table like the reference, with some columns changed; None takes one away."""
    table = {name: column for name, column in {**REFERENCE, **columns}.items() if column is not None}
    pq.write_table(pa.table(table), tmp_path / "new.parquet")
    told = None
    if mapping is not None:
        told = tmp_path / "mapping.toml"
        told.write_text(mapping)
    return plan_table(tmp_path / "new.parquet", told, profile)


def roles(found: Planned) -> dict[str, tuple[str, str]]:
    """Give role and type by column."""
    return {one.name: (one.role, one.type) for one in found.plan.columns}


def test_a_column_the_profile_does_not_know_is_left_out(tmp_path: Path, profile: Profile) -> None:
    """What was constant in the reference is no feature later, though it varies now."""
    found = roles(planned(tmp_path, profile, same=list(range(ROWS))))
    assert found["same"] == ("ignore", "")
    assert found["age"] == ("feature", "number")


def test_a_column_of_the_profile_is_sent_whatever_it_holds(tmp_path: Path, profile: Profile) -> None:
    """Constant, empty or of another type: the faults of live data are what windows must show."""
    found = roles(planned(tmp_path, profile, age=pa.nulls(ROWS), zone=["a"] * ROWS, score=["high"] * ROWS))
    assert found["age"] == ("feature", "number")
    assert found["zone"] == ("feature", "category")
    assert found["score"] == ("score", "number")


def test_a_column_that_is_missing_is_an_error(tmp_path: Path, profile: Profile) -> None:
    """The sentence names the column and the nearest one the table has."""
    with pytest.raises(TableError, match="has a column 'age', which the table lacks: did you mean 'ages'"):
        planned(tmp_path, profile, age=None, ages=REFERENCE["age"])


def test_nested_values_in_a_feature_are_an_error(tmp_path: Path, profile: Profile) -> None:
    """A list where a number was cannot travel at all."""
    with pytest.raises(TableError, match="column 'age' holds values of type list"):
        planned(tmp_path, profile, age=[[1.0]] * ROWS)


def test_the_mapping_has_the_last_word(tmp_path: Path, profile: Profile) -> None:
    """A mapping may leave a column of the profile out."""
    assert roles(planned(tmp_path, profile, '[columns]\nzone = "ignore"\n'))["zone"][0] == "ignore"


def test_a_class_of_the_profile_must_be_known_as_one(tmp_path: Path) -> None:
    """A class that only a mapping named is asked for again, not lost in silence."""
    table = pa.table({**REFERENCE, "decision": RNG.integers(0, 2, ROWS)})
    pq.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "m.toml").write_text('[columns]\ndecision = "predicted"\n')
    profile = build_from_table(plan_table(tmp_path / "t.parquet", tmp_path / "m.toml"), "d", "1").profile
    with pytest.raises(TableError, match="has a predicted class"):
        plan_table(tmp_path / "t.parquet", None, profile)
    found = plan_table(tmp_path / "t.parquet", tmp_path / "m.toml", profile).plan.one("predicted")
    assert found is not None
    assert found.name == "decision"


DAY = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
SEEN = [DAY + dt.timedelta(hours=hour) for hour in range(ROWS)]
BIRTH = [dt.date(1980, 1, 1) + dt.timedelta(days=day) for day in range(ROWS)]


@pytest.fixture
def timed(tmp_path: Path) -> Profile:
    """A profile whose times stand in `seen`, beside a column of dates."""
    pq.write_table(pa.table({**REFERENCE, "seen": SEEN, "birth": BIRTH}), tmp_path / "reference.parquet")
    return build_from_table(plan_table(tmp_path / "reference.parquet"), "d", "1").profile


def test_the_profile_says_which_column_has_the_times(tmp_path: Path, timed: Profile) -> None:
    """It travels with the profile, is no part of its digest, and beats a column of a better name."""
    assert Profile.from_bytes(timed.to_bytes()).timestamp == "seen"
    assert timed.digest() == replace(timed, timestamp=None).digest()
    found = roles(planned(tmp_path, timed, seen=SEEN, birth=BIRTH, timestamp=SEEN))
    assert found["seen"] == ("timestamp", "datetime")
    assert found["timestamp"] == ("ignore", "")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "text"])
def test_the_times_may_be_written_in_another_way(tmp_path: Path, timed: Profile, unit: str) -> None:
    """ISO texts and whole numbers since 1970 are read as what they are, whatever the reference had."""
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    seen = [one.isoformat() if unit == "text" else int(one.timestamp()) * scale[unit] for one in SEEN]
    assert roles(planned(tmp_path, timed, seen=seen, birth=BIRTH))["seen"] == ("timestamp", unit)


@pytest.mark.parametrize(
    ("seen", "what"),
    [
        (None, "column 'seen', which the table lacks"),
        (pa.nulls(ROWS), "which holds no value here"),
        (pa.nulls(ROWS, pa.timestamp("us")), "which holds no value here"),
        ([one.timestamp() for one in SEEN], "which holds values of type double here"),
        ([True, False] * (ROWS // 2), "which holds values of type bool here"),
        ([[1]] * ROWS, "which holds values of type list<"),
        (["yesterday"] * ROWS, "which holds texts as 'yesterday' here"),
        (list(range(ROWS)), "whole numbers from 0 to 299, which are no times of 2000 to 2100"),
    ],
)
def test_times_that_are_missing_or_unreadable_are_an_error(
    tmp_path: Path, timed: Profile, seen: object, what: str
) -> None:
    """Neither another date column nor now takes their place; one sentence says what to do."""
    with pytest.raises(TableError) as caught:
        planned(tmp_path, timed, seen=seen, birth=BIRTH)
    assert what in str(caught.value)
    assert 'as in [columns] seen_at = "timestamp"' in str(caught.value)


def test_a_mapping_may_name_another_timestamp_or_none(tmp_path: Path, timed: Profile) -> None:
    """Its word beats the profile's: another column, or no times at all."""
    other = planned(tmp_path, timed, '[columns]\nbirth = "timestamp"\n', seen=None, birth=BIRTH)
    assert roles(other)["birth"] == ("timestamp", "datetime")
    none = planned(tmp_path, timed, '[columns]\nseen = "ignore"\n', seen=SEEN, birth=BIRTH)
    assert none.plan.one("timestamp") is None


def test_a_profile_of_times_from_an_older_release_wants_some_times(tmp_path: Path, timed: Profile) -> None:
    """It does not say which column had them: the guess stands, and without one the rows are not sent as of now."""
    older = replace(timed, timestamp=None)
    assert roles(planned(tmp_path, older, seen=SEEN))["seen"] == ("timestamp", "datetime")
    with pytest.raises(TableError, match="has times, and no column of the table reads as times"):
        planned(tmp_path, older)


@pytest.mark.parametrize("said", [["no"] * ROWS, [1.0, 0.0] * (ROWS // 2)])
def test_a_class_that_a_guess_passes_over_is_still_the_class(tmp_path: Path, said: list[object]) -> None:
    """A day on which the model says one thing alone, or in another type, is sent like any other."""
    table = {**REFERENCE, "predicted": ["yes", "no"] * (ROWS // 2)}
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    profile = build_from_table(plan_table(tmp_path / "t.parquet"), "d", "1").profile
    assert roles(planned(tmp_path, profile, predicted=said))["predicted"][0] == "predicted"
