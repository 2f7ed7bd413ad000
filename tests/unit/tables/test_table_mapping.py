"""A mapping laid over the guess: what it may say, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.plan import plan_table
from driftline.deploy.tables.roles import ColumnPlan


def mapped(tmp_path: Path, text: str) -> dict[str, ColumnPlan]:
    """Plan a small table under a mapping of this text."""
    table = pa.table(
        {
            "age": list(range(60)),
            "zone": ["a", "b", None] * 20,
            "score": [0.5, 0.25, 0.75] * 20,
            "model_out": [0.1, 0.2, 0.3] * 20,
            "customer_id": list(range(60)),
            "event_time": pa.array(range(60), pa.timestamp("s")),
            "seen": [1_700_000_000_000 + i for i in range(60)],
            "parts": [[1]] * 60,
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "m.toml").write_text(text)
    plan = plan_table(tmp_path / "t.parquet", tmp_path / "m.toml").plan
    return {one.name: one for one in plan.columns}


def test_a_mapping_overrides_role_type_policy_and_segment(tmp_path: Path) -> None:
    """Every key of a line is taken over; columns without a line keep the guess."""
    plans = mapped(
        tmp_path,
        """
        [columns]
        age = {role = "feature", type = "category", policy = "counters_only"}
        zone = {segment = true}
        model_out = {role = "score"}
        customer_id = "id"
        """,
    )
    age, zone = plans["age"], plans["zone"]
    assert (age.role, age.type, age.policy) == ("feature", "category", "counters_only")
    assert (zone.role, zone.type, zone.segment) == ("feature", "category", True)
    assert (plans["model_out"].role, plans["model_out"].type) == ("score", "number")
    assert plans["customer_id"].role == "id"
    assert plans["score"].role == "score"


def test_a_mapped_timestamp_takes_the_role_from_the_guessed_one(tmp_path: Path) -> None:
    """At most one column is the event time: the mapping beats the guess; the unit is still guessed."""
    plans = mapped(tmp_path, '[columns]\nseen = "timestamp"\n')
    assert (plans["seen"].role, plans["seen"].type) == ("timestamp", "ms")
    assert plans["event_time"].role == "ignore"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[columns]\nagee = "feature"\n', "'agee' that is not there: did you mean 'age'"),
        ('[columns]\nage = "featrue"\n', "unknown role 'featrue': did you mean 'feature'"),
        ('[columns]\nage = {rol = "feature"}\n', "unknown key 'rol': did you mean 'role'"),
        ('[columns]\nage = {policy = "hash"}\n', "unknown policy 'hash': did you mean 'hashed'"),
        ('[columns]\nage = {role = "feature", type = "numbre"}\n', "did you mean 'number'"),
        ('[columns]\nzone = {role = "feature", type = "number"}\n', "values of type string"),
        ('[columns]\nparts = "feature"\n', "cannot have the role 'feature'"),
        ('[columns]\nage = {segment = "yes"}\n', "write true or false"),
        ("[columns]\nage = 3\n", "is no mapping"),
        ('[column]\nage = "feature"\n', "unknown table 'column': did you mean 'columns'"),
        ("[columns]\n", "maps no column"),
        ("not toml", "is no TOML file"),
        ('[columns]\nage = "id"\nzone = "id"\n', "both have the role 'id'"),
        ('[columns]\nparts = {policy = "drop"}\n', "is left out"),
        ('[columns]\ncustomer_id = {role = "id", type = "number"}\n', "takes no type"),
    ],
)
def test_a_wrong_mapping_is_said_in_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    """Unknown tables, columns, keys, roles, types and policies are named, with the nearest known one."""
    with pytest.raises(TableError) as told:
        mapped(tmp_path, text)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_a_missing_mapping_file_is_named(tmp_path: Path) -> None:
    """A mapping that is not there is an error, not a guess without it."""
    with pytest.raises(TableError, match="there is no mapping file"):
        plan_table(tmp_path / "t.parquet", tmp_path / "gone.toml")
