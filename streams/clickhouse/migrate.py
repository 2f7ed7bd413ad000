"""Migrations: numbered SQL files applied once each, in order, and held to the text that was applied.

ClickHouse has no transactions over DDL, so a file may be left half applied by a crash: every statement must be safe to
run again (IF NOT EXISTS), and the file's row in `schema_migrations` is written after its last statement. SQL names no
database: it runs in the one of the settings. Where a cluster is named every statement goes to all of its servers.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final

from driftline.streams.clickhouse import retention
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.clustered import clustered
from driftline.streams.clickhouse.errors import MigrationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from driftline.schemas.settings import Settings

_FILE_NAME: Final = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
# A database that every server has: where one stands while one's own does not exist yet.
_ANY_DATABASE: Final = "default"
STATEMENT_SECONDS: Final = 6 * 3_600
"""How long a statement is waited for: 0013 copies what years have left, and a server goes on with what is given up."""
_BOOK: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    number     UInt32,
    name       String,
    checksum   String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file: its statements, and the SHA-256 of its text."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hexadecimal digits."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def file_name(self) -> str:
        """Name of the file below `streams/clickhouse/migrations`."""
        return f"{self.number:04}_{self.name}.sql"

    @property
    def statements(self) -> list[str]:
        """The statements; each ends with a semicolon at the end of a line."""
        return [part for part in (raw.strip() for raw in re.split(r";\s*(?:\n|$)", self.sql)) if part]


def shipped() -> list[Migration]:
    """Every migration of this release, in order of number.

    Raises:
        MigrationError: a file is misnamed, or two carry one number.
    """
    folder = resources.files("driftline.streams.clickhouse") / "migrations"
    found: dict[int, Migration] = {}
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if not entry.name.endswith(".sql"):
            continue
        match = _FILE_NAME.fullmatch(entry.name)
        if match is None:
            raise MigrationError(f"migration {entry.name} is not named like 0001_predictions.sql: rename it")
        migration = Migration(int(match["number"]), match["name"], entry.read_text(encoding="utf-8"))
        if migration.number in found:
            raise MigrationError(
                f"migrations {found[migration.number].file_name} and {entry.name} share a number"
            )
        found[migration.number] = migration
    return [found[number] for number in sorted(found)]


def outstanding(files: Iterable[Migration], applied: Mapping[int, str]) -> list[Migration]:
    """Give the files not applied yet, in order; pure.

    Args:
        files: what this release ships.
        applied: number → checksum, as the database remembers.

    Raises:
        MigrationError: an applied file was edited since, or the database is ahead of this release.
    """
    by_number = {migration.number: migration for migration in files}
    for number, checksum in sorted(applied.items()):
        migration = by_number.get(number)
        if migration is None:
            raise MigrationError(
                f"the database has migration {number:04}, which this release does not know: install the newer release",
            )
        if migration.checksum != checksum:
            raise MigrationError(
                f"migration {migration.file_name} was edited after it was applied: restore its text and put the change "
                "into a new file",
            )
    return [migration for number, migration in sorted(by_number.items()) if number not in applied]


def pending(settings: Settings) -> list[str]:
    """Give the file names that `migrate` would apply now.

    Raises:
        MigrationError: as `outstanding`.
        ClickHouseError: the server is away or refuses.
    """
    name = settings.clickhouse.database
    with Client(settings.clickhouse, database=_ANY_DATABASE) as client:
        known = client.query(
            "SELECT 1 AS found FROM system.tables WHERE database = {name:String} AND name = 'schema_migrations'",
            {"name": name},
        )
    if not known:
        return [migration.file_name for migration in shipped()]
    with Client(settings.clickhouse) as client:
        return [migration.file_name for migration in outstanding(shipped(), _applied(client))]


def migrate(settings: Settings) -> list[str]:
    """Bring the database up to date and give the names of the files applied; none when it already is.

    Also sets the retention of every table to the settings, since that is a setting and no migration. Safe to run after
    a crash at any point; of two runs at once the later is refused when it comes to the statement the server is at.

    Raises:
        MigrationError: as `outstanding`.
        ClickHouseError: the server is away or refuses.
    """
    name, cluster = settings.clickhouse.database, settings.clickhouse.cluster
    with Client(settings.clickhouse, database=_ANY_DATABASE) as client:
        client.command(clustered(f"CREATE DATABASE IF NOT EXISTS {quoted(name)}", cluster))
    with Client(settings.clickhouse, answer_seconds=STATEMENT_SECONDS) as client:
        client.command(clustered(_BOOK.strip(), cluster))
        done = []
        for migration in outstanding(shipped(), _applied(client)):
            for statement in migration.statements:
                client.command(clustered(statement, cluster), query_id(name, migration, statement))
            client.command(
                "INSERT INTO schema_migrations (number, name, checksum) VALUES "
                f"({migration.number}, '{migration.name}', '{migration.checksum}')",
            )
            done.append(migration.file_name)
        retention.apply(client, settings.archive)
    return done


def query_id(database: str, migration: Migration, statement: str) -> str:
    """Name a statement the same in every run: a server does not begin one that it is at, as 0013 would copy rows twice.

    A server goes on with a statement whose client was killed.
    """
    digest = hashlib.sha256(statement.encode()).hexdigest()[:16]
    return f"{database}-{migration.number:04}-{digest}"


def quoted(identifier: str) -> str:
    """Quote a name for SQL: a database may be called anything the settings allow."""
    return "`" + identifier.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _applied(client: Client) -> dict[int, str]:
    rows = client.query("SELECT number, checksum FROM schema_migrations FINAL")
    return {int(row["number"]): str(row["checksum"]) for row in rows}
