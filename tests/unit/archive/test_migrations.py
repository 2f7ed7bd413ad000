"""Numbered SQL: in order, once, and held to the text that was applied."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self

import pytest

from driftline.schemas.settings import load
from driftline.streams.clickhouse import migrate as migrations
from driftline.streams.clickhouse.errors import MigrationError
from driftline.streams.clickhouse.migrate import STATEMENT_SECONDS, Migration, migrate, outstanding, shipped

FIRST, SECOND = (
    Migration(1, "first", "CREATE TABLE IF NOT EXISTS a (x Int8);\n"),
    Migration(2, "second", "SELECT 1;\n"),
)


def test_what_was_not_applied_is_outstanding_in_order() -> None:
    """Numbers decide, not the order in which files are found."""
    assert outstanding([SECOND, FIRST], {}) == [FIRST, SECOND]
    assert outstanding([SECOND, FIRST], {1: FIRST.checksum}) == [SECOND]


def test_an_edited_file_is_one_sentence() -> None:
    """A change of an applied file would leave databases that differ; the sentence names the file and what to do."""
    with pytest.raises(
        MigrationError, match=r"migration 0001_first.sql was edited after it was applied: restore"
    ):
        outstanding([FIRST], {1: "another"})


def test_a_newer_database_is_one_sentence() -> None:
    """An old release must not write to tables it does not know."""
    with pytest.raises(MigrationError, match="migration 0003, which this release does not know"):
        outstanding([FIRST], {1: FIRST.checksum, 3: "x"})


def test_numbers_have_no_holes() -> None:
    """The files shipped are numbered from 1."""
    assert [migration.number for migration in shipped()] == list(range(1, len(shipped()) + 1))


@pytest.mark.parametrize("migration", shipped(), ids=lambda migration: str(migration.file_name))
def test_every_statement_may_run_again(migration: Migration) -> None:
    """A crash between two statements leaves a file half applied: each says IF NOT EXISTS, OR REPLACE, or the like.

    What sets a table's properties to fixed ones may; what copies rows leaves out those that are there.
    """
    for statement in migration.statements:
        plain = re.sub(r"--.*", "", statement)
        again = r"\bIF (NOT )?EXISTS\b|\bOR REPLACE\b|\bMODIFY (SETTING|TTL)\b|\bWHERE isNull\(held\."
        assert re.search(again, plain), plain
        assert "driftline." not in plain, "the database comes from the settings"


def test_every_table_that_takes_blocks_remembers_tokens() -> None:
    """Without a deduplication window of 10,000 and more a planned block would be stored twice."""
    for migration in shipped():
        for statement in migration.statements:
            if "ENGINE =" in statement:
                found = re.search(r"non_replicated_deduplication_window = (\d+)", statement)
                assert found is not None, statement
                assert int(found[1]) >= 10_000


@dataclass
class Sent:
    """What a server that takes everything was sent: statement, its id, and how long an answer was waited for."""

    commands: list[tuple[str, str | None, int]] = field(default_factory=list)

    def stand_in(self, patch: pytest.MonkeyPatch) -> None:
        """Take the place of the client."""
        sent = self

        class Server:
            def __init__(
                self, _settings: object, *, database: str = "own", answer_seconds: int = 120
            ) -> None:
                self.answer_seconds = answer_seconds
                del database

            def __enter__(self) -> Self:
                return self

            def __exit__(self, *_: object) -> None:
                """Nothing is open."""

            def command(self, sql: str, query_id: str | None = None) -> None:
                sent.commands.append((sql, query_id, self.answer_seconds))

            def query(self, _sql: str) -> list[dict[str, object]]:
                return []

        patch.setattr(migrations, "Client", Server)
        patch.setattr(migrations.retention, "apply", lambda *_: [])


def test_a_statement_may_take_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of years is copied by one statement: given up after minutes, no later run would come further."""
    sent = Sent()
    sent.stand_in(monkeypatch)
    assert migrate(load({}, None)) == [one.file_name for one in shipped()]
    of_files = {statement for one in shipped() for statement in one.statements}
    assert {waited for sql, _, waited in sent.commands if sql in of_files} == {STATEMENT_SECONDS}


def test_a_statement_has_one_id_in_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """By it a server that is still at the statement of a run before refuses it; no two statements share one."""
    runs = []
    for database in ("one", "one", "other"):
        sent = Sent()
        sent.stand_in(monkeypatch)
        migrate(load({"DRIFTLINE_CLICKHOUSE_DATABASE": database}, None))
        of_files = [statement for one in shipped() for statement in one.statements]
        runs.append([of for sql, of, _ in sent.commands if sql in of_files])
    assert runs[0] == runs[1]
    assert None not in runs[0]
    assert len({*runs[0], *runs[2]}) == 2 * len(of_files)
