"""docs/own-data.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet as pq

from driftline.deploy.tables.build import CAP_BYTES, build_from_table
from driftline.deploy.tables.mapping import KEYS, read_mapping
from driftline.deploy.tables.order import SORT_CAP_BYTES
from driftline.deploy.tables.plan import plan_table
from driftline.deploy.tables.resolutions import COUNTED, MINIMUM_ROWS
from driftline.deploy.tables.roles import POLICIES, ROLES, TYPES
from driftline.deploy.tables.rows import table_rows


def page(checkout: Path) -> str:
    """Read the page on one line."""
    return " ".join((checkout / "docs" / "own-data.md").read_text(encoding="utf-8").split())


def test_every_role_type_policy_and_key_is_named(checkout: Path) -> None:
    """What a mapping may say stands on the page, all of it."""
    text = page(checkout)
    types = {name for names in TYPES.values() for name in names}
    for word in (*ROLES, *POLICIES, *KEYS, *types, *COUNTED):
        assert re.search(rf"\b{re.escape(word)}\b", text), word


def test_the_caps_are_those_of_the_code(checkout: Path) -> None:
    """The bounds on memory and rows are stated as they are."""
    text = page(checkout)
    assert f"up to {SORT_CAP_BYTES >> 30} GiB" in text
    assert f"up to {CAP_BYTES >> 30} GiB of values" in text
    assert f"reach {MINIMUM_ROWS} rows" in text


def test_the_example_is_a_mapping(checkout: Path, tmp_path: Path) -> None:
    """The example on the page is read as it stands."""
    text = (checkout / "docs" / "own-data.md").read_text(encoding="utf-8")
    block = text[text.index("    [columns]") :].split("\n\n")[0]
    (tmp_path / "mapping.toml").write_text("\n".join(line.strip() for line in block.splitlines()))
    assert set(read_mapping(tmp_path / "mapping.toml")) == {"age", "region", "customer", "note"}


def test_a_policy_is_the_mappings_and_a_target_is_not_sent(checkout: Path, tmp_path: Path) -> None:
    """What the page warns of: a hashed column is plain without its mapping, and the truth does not travel."""
    assert "Give `emit` the mapping that `profile build` was given" in page(checkout)
    assert "a `target` column is recognised" in page(checkout)
    table, mapping = tmp_path / "t.parquet", tmp_path / "mapping.toml"
    pq.write_table(pa.table({"zone": ["a", "b"] * 50, "target": [0, 1] * 50}), table)
    mapping.write_text('[columns]\nzone = {role = "feature", type = "category", policy = "hashed"}\n')
    profile = build_from_table(plan_table(table, mapping), "d", "1").profile
    for told, is_plain in ((mapping, False), (None, True)):
        planned = plan_table(table, told, profile)
        (batch,) = table_rows(planned.source, planned.plan, "d", "1")
        (zone,) = batch.categories
        assert (set(zone.levels) == {"a", "b"}) == is_plain
        assert (set(zone.levels) == set(profile.column("zone").levels)) != is_plain
        assert (batch.features, batch.scores, batch.predicted, batch.segments) == ([], [], None, [])
