"""Everybody on the real ClickHouse may do what the table by hand says, and there is no way out of it."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from permissions import DELETES, INSERTS, SELECTS, STORAGE, SYSTEM, TABLES, VIEWS
from table_doors import Desk

from driftline.deploy.local.clickhouse_config import READY_USER
from driftline.schemas.settings import clickhouse_config
from driftline.streams.clickhouse import retention
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.users import ROLES, digest_of, statements

if TYPE_CHECKING:
    from pathlib import Path

    from real_stack import TestStack

DATABASE = "driftline"
AUTHENTICATION_FAILED, SESSIONS_OVERFLOWN = 516, 700
READONLY, CONSTRAINED = 164, 452
OUTSIDE = {
    "url": "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'x Int32')",
    "remote": "SELECT * FROM remote('127.0.0.1', 'driftline', 'predictions')",
    "remoteSecure": "SELECT * FROM remoteSecure('127.0.0.1', 'driftline', 'predictions')",
    "file": "SELECT * FROM file('x.csv', 'CSV', 'x Int32')",
    "s3": "SELECT * FROM s3('http://127.0.0.1:1/bucket/x', 'CSV', 'x Int32')",
    "executable": "SELECT * FROM executable('x', 'CSV', 'x Int32')",
    "mysql": "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "postgresql": "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "into url": "INSERT INTO FUNCTION url('http://127.0.0.1:1/', 'CSV', 'x Int32') SELECT 1",
    "into file": "INSERT INTO FUNCTION file('x.csv', 'CSV', 'x Int32') SELECT 1",
    "dictionary": "CREATE DICTIONARY driftline.d (x Int32) PRIMARY KEY x SOURCE(NULL()) LAYOUT(FLAT()) LIFETIME(0)",
    "table of a url": "CREATE TABLE driftline.u (x Int32) ENGINE = URL('http://127.0.0.1:1/')",
    "table of a file": "CREATE TABLE driftline.f (x Int32) ENGINE = File(CSV)",
    "temporary table": "CREATE TEMPORARY TABLE t (x Int32)",
    "function": "CREATE FUNCTION f AS x -> x",
    "another database": "CREATE DATABASE another",
    "user": "CREATE USER somebody",
    "grant": "GRANT SELECT ON *.* TO `driftline-board`",
    "shutdown": "SYSTEM SHUTDOWN",
    "listen": "SYSTEM STOP LISTEN HTTP",
    "kill": "KILL QUERY WHERE 1",
    "backup": "BACKUP DATABASE driftline TO File('x')",
}
"""Ways to the outside, or to what is not a role's own: nobody has them."""


@pytest.fixture(scope="module")
def desks(secured: TestStack) -> Iterator[dict[str, Desk]]:
    """Every role's user, with a connection each."""
    made = {role: Desk(secured.settings_of(role)) for role in SELECTS}
    yield made
    for desk in made.values():
        desk.__exit__(None, None, None)


def check_rows(desk: Desk, role: str, tables: tuple[str, ...]) -> None:
    """Hold reading, adding to and removing from tables against what is written."""
    for table in tables:
        assert desk.may(f"SELECT * FROM {DATABASE}.{table} LIMIT 0") == (table in SELECTS[role]), (
            role,
            table,
        )
        if table in VIEWS:
            continue
        adds = f"INSERT INTO {DATABASE}.{table} FORMAT JSONEachRow"
        assert desk.may(adds) == (table in INSERTS.get(role, ())), (role, table)
        removes = f"ALTER TABLE {DATABASE}.{table} DELETE WHERE 0"
        assert desk.may(removes) == (table in DELETES.get(role, ())), (role, table)


def check_shape(desk: Desk, role: str, tables: tuple[str, ...]) -> None:
    """Nobody but the admin alters, empties or drops a table."""
    for table in tables if role != "admin" else ():
        for statement in (
            f"ALTER TABLE {DATABASE}.{table} ADD COLUMN more Int32",
            f"TRUNCATE TABLE {DATABASE}.{table}",
            f"DROP TABLE {DATABASE}.{table}",
            f"RENAME TABLE {DATABASE}.{table} TO {DATABASE}.gone",
        ):
            assert not desk.may(statement), (role, statement)


def test_every_role_of_the_code_is_in_the_table_by_hand() -> None:
    """A role that is new must be written here too, by somebody who means it."""
    assert {role.name for role in ROLES} == set(SELECTS)


def test_tables_by_hand_are_those_that_are_there(desks: dict[str, Desk]) -> None:
    """Every table and view of the database is in the tables by hand."""
    _, text = desks["admin"].ask(
        f"SELECT name FROM system.tables WHERE database = '{DATABASE}' AND NOT is_temporary FORMAT TSV"
    )
    assert set(text.split()) == {*TABLES, *VIEWS}


def test_rows_are_read_and_written_by_whom_it_says(desks: dict[str, Desk]) -> None:
    """Of some tables, each role reads, adds and removes as written; in the long form of all."""
    for role, desk in desks.items():
        check_rows(desk, role, ("predictions", "dead_letters", "windows", "audit", "figures"))
        check_shape(desk, role, ("predictions",))


@pytest.mark.slow
def test_rows_of_every_table(desks: dict[str, Desk]) -> None:
    """Every role on every table and view."""
    for role, desk in desks.items():
        check_rows(desk, role, (*TABLES, *VIEWS))
        check_shape(desk, role, TABLES)


@pytest.mark.parametrize("role", ["board", "archive", "operator"])
def test_there_is_no_way_out(desks: dict[str, Desk], role: str) -> None:
    """Neither url(), remote(), file(), s3(), a process, a dictionary, another database nor the server itself."""
    found = [name for name, statement in OUTSIDE.items() if desks[role].may(statement)]
    assert found == []


@pytest.mark.slow
def test_there_is_no_way_out_for_anybody(desks: dict[str, Desk]) -> None:
    """The same for every role; who may make tables, as the admin, may run scripts that the server's owner put there."""
    for role, desk in desks.items():
        found = [name for name, statement in OUTSIDE.items() if desk.may(statement)]
        assert found == (["executable"] if role == "admin" else []), role


def test_the_archive_keeps_retention_by_its_own_rights(secured: TestStack) -> None:
    """Once the audit tells of a tier, and once a setting is another one: nothing in it needs the admin."""
    with Client(secured.settings_of("admin").clickhouse) as admin:
        admin.command(
            "INSERT INTO audit (seq, deployment, tier, arrived) VALUES (1, 'careful', 'high', now64(3))"
        )
    settings = secured.settings_of("archive")
    with Client(settings.clickhouse) as client:
        assert {*retention.BY_TIER, retention.KEPT} <= set(retention.apply(client, settings.archive))
        assert retention.apply(client, settings.archive) == []
        other = replace(settings.archive, windows_retention_days=settings.archive.windows_retention_days + 1)
        assert set(retention.apply(client, other)) == set(retention.DECISIONS)
        assert client.query(f"SELECT count() AS rows FROM {retention.KEPT}") == [{"rows": 0}]
        client.command(f"DROP VIEW {retention.KEPT} SYNC")
        assert retention.apply(client, other) == [retention.KEPT]


def test_system_tables_are_closed(desks: dict[str, Desk]) -> None:
    """Of `system` everybody reads what is written, and never what others ask or who they are."""
    for role, desk in desks.items():
        for table, readers in SYSTEM.items():
            assert desk.may(f"SELECT * FROM system.{table} LIMIT 0") == (role in readers), (role, table)
        sizes = "SELECT active, database, table, rows, bytes_on_disk FROM system.parts LIMIT 0"
        assert desk.may(sizes) == (role in STORAGE), role


def test_nobody_takes_more_than_the_limits(desks: dict[str, Desk]) -> None:
    """Limits can be set lower, never higher, and never to 0, which is none; nor can a reader become a writer."""
    assert desks["board"].ask("SELECT 1", max_execution_time="5")[0] == READONLY
    for role in ("grafana", "operator", "drift", "archive"):
        desk = desks[role]
        for name, value in (("max_execution_time", "100000"), ("max_memory_usage", "99999999999999")):
            for given in (value, "0"):
                assert desk.ask("SELECT 1", **{name: given})[0] in (READONLY, CONSTRAINED), (role, name)
                inside = f"SELECT 1 SETTINGS {name} = {given}"
                assert desk.ask(inside)[0] in (READONLY, CONSTRAINED), (role, inside)
        assert desk.ask("SELECT 1", max_execution_time="5")[0] == 0
    for role in ("board", "grafana", "operator", "drift"):
        assert desks[role].ask("SELECT 1", readonly="0")[0] in (READONLY, CONSTRAINED), role


def test_nothing_is_written_to_a_file_of_the_server(desks: dict[str, Desk], tmp_path: Path) -> None:
    """INTO OUTFILE writes nothing, whoever asks."""
    for role, desk in desks.items():
        code, _ = desk.ask(f"SELECT 1 INTO OUTFILE '{tmp_path}/{role}'")
        assert code != 0, role
    assert not list(tmp_path.iterdir())


def test_the_engine_reads_no_file_but_its_own(secured: TestStack, desks: dict[str, Desk]) -> None:
    """The function file(), which this engine allows everybody, opens neither passwords nor anything of this user."""
    access = secured.directory.access
    for path in (
        "/etc/passwd",
        access / "admin.toml",
        access / "clickhouse.pem",
        secured.directory.identity_file,
    ):
        code, text = desks["board"].ask(f"SELECT file('{path}')")
        assert code != 0, path
        assert "Permission denied" in text, text
    code, text = desks["board"].ask("SELECT file('/proc/self/environ')")
    assert {one.partition("=")[0] for one in text.strip().split("\\0")} <= {"PATH", "TERM", "LC_CTYPE", ""}


def test_strangers_do_not_come_in(secured: TestStack) -> None:
    """`default` has no access, a wrong password none, the plain port is told to nobody, and TLS is asked for."""
    settings = secured.settings_of("operator")
    with Desk(settings, "default", "") as desk:
        assert desk.ask("SELECT 1")[0] == SESSIONS_OVERFLOWN
    with Desk(settings, settings.clickhouse.user, "wrong") as desk:
        assert desk.ask("SELECT 1")[0] == AUTHENTICATION_FAILED
    with Desk(settings, READY_USER, "") as desk:
        assert desk.ask("SELECT 1")[0] == AUTHENTICATION_FAILED
    connection = http.client.HTTPConnection(settings.clickhouse.host, settings.clickhouse.port, timeout=10)
    connection.request("GET", "/ping")
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.getresponse()
    connection.close()
    assert clickhouse_config(settings.clickhouse)["verify"] is True


def test_statements_for_other_servers_are_sql(desks: dict[str, Desk]) -> None:
    """What `driftline access clickhouse` gives is what the server reads as SQL, and holds no password."""
    for role in ROLES:
        for statement in statements(role, "eu", digest_of("a password")):
            code, text = desks["admin"].ask(f"SELECT formatQuerySingleLine($text${statement}$text$)")
            assert code == 0, text
            assert "a password" not in statement
