"""Migrations as a cluster of replicas takes them: the text of every statement that driftline ships."""

from __future__ import annotations

import re

import pytest

from driftline.streams.clickhouse.clustered import DEDUPLICATION_SECONDS, clustered
from driftline.streams.clickhouse.migrate import Migration, shipped

STATEMENTS = [
    pytest.param(migration, statement, id=f"{migration.number:04}-{place}")
    for migration in shipped()
    for place, statement in enumerate(migration.statements)
]
EVERY = pytest.mark.parametrize(("migration", "statement"), STATEMENTS)


def plain(statement: str) -> str:
    """A statement without its comments, spaces as one."""
    return " ".join(re.sub(r"^\s*--.*$", "", statement, flags=re.MULTILINE).split())


@EVERY
def test_every_statement_goes_to_all_servers(migration: Migration, statement: str) -> None:
    """Each statement that makes, alters, empties or drops names the cluster once, behind the name; the rest stays.

    An INSERT is replicated by its table, and runs once.
    """
    del migration
    text = plain(clustered(statement, "main"))
    if text.startswith("INSERT"):
        assert text == plain(statement)
        return
    assert re.match(
        r"(CREATE (TABLE|VIEW) IF NOT EXISTS|CREATE OR REPLACE VIEW|ALTER TABLE|(TRUNCATE|DROP) TABLE IF EXISTS)"
        r" \w+ ON CLUSTER `main`( |$)",
        text,
    )
    assert text.count("ON CLUSTER") == 1


@EVERY
def test_every_table_is_replicated(migration: Migration, statement: str) -> None:
    """Each engine is the replicated one of its kind, and remembers as many blocks, for longer than they come again."""
    del migration
    before, text = plain(statement), plain(clustered(statement, "main"))
    engines = re.findall(r"\bENGINE = (\w+)", before)
    assert re.findall(r"\bENGINE = (\w+)", text) == [f"Replicated{name}" for name in engines]
    assert "non_replicated_deduplication_window" not in text
    assert text.count(f"replicated_deduplication_window_seconds = {DEDUPLICATION_SECONDS}") == before.count(
        "non_replicated_deduplication_window"
    )


@EVERY
def test_one_server_takes_the_files_as_they_are(migration: Migration, statement: str) -> None:
    """Without a cluster nothing is changed."""
    del migration
    assert clustered(statement, "") == statement


def test_a_dropped_table_is_gone_at_once() -> None:
    """A table is dropped with SYNC, so that its place in Keeper is free when it is made again."""
    text = "-- why\nDROP TABLE IF EXISTS lineage"
    assert clustered(text, "main") == "DROP TABLE IF EXISTS lineage ON CLUSTER `main` SYNC"


def test_a_view_that_is_made_anew_is_so_everywhere() -> None:
    """What retention drops and makes again on one server alone, the others would keep as it was."""
    assert (
        clustered("DROP VIEW IF EXISTS kept_lookup SYNC", "main")
        == "DROP VIEW IF EXISTS kept_lookup ON CLUSTER `main` SYNC"
    )
    assert (
        clustered("CREATE VIEW kept_lookup AS SELECT 1", "main")
        == "CREATE VIEW kept_lookup ON CLUSTER `main` AS SELECT 1"
    )
