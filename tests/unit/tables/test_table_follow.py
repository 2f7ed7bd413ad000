"""A table that is sent follows the profile of its model version."""

from __future__ import annotations

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
