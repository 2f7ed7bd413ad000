"""docs/reference/tables.md against a real ClickHouse after all migrations."""

from __future__ import annotations

import re
from pathlib import Path

from driftline.schemas.settings import Settings
from driftline.streams.clickhouse.client import Client

# What keeps the book of migrations: the page names it, and has no section for it.
BOOK = "schema_migrations"


def test_every_table_and_column_is_documented(checkout: Path, lane: Settings) -> None:
    """The page has each table and view of a migrated database, no other, and each column of a table with its type."""
    page = (checkout / "docs" / "reference" / "tables.md").read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0]: part for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]}
    with Client(lane.clickhouse) as client:
        tables = client.query("SELECT name, engine FROM system.tables WHERE database = currentDatabase()")
        columns = client.query(
            "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() ORDER BY table, position"
        )
    assert f"`{BOOK}`" in page
    assert sorted(row["name"] for row in tables if row["name"] != BOOK) == sorted(sections)
    for row in tables:
        name, is_view = row["name"], row["engine"] == "View"
        if name == BOOK:
            continue
        assert sections[name].split("\n")[2].startswith("View." if is_view else "Table."), name
        told = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|$", sections[name], re.MULTILINE)
        there = [] if is_view else [(each["name"], each["type"]) for each in columns if each["table"] == name]
        assert sorted(told) == sorted(there), name
