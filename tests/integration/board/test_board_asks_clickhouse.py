"""The board's user and its questions on a real ClickHouse: what it may not, and what becomes of values."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from board_world import World

from driftline.deploy.board.web.errors import NoFiguresError, Trouble
from driftline.deploy.board.web.source import Source, password
from driftline.streams.clickhouse.client import Client

# What a user with `readonly` alone could do, and what else leads out of driftline's tables.
FORBIDDEN = (
    "SELECT count() FROM other.secrets",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "SELECT * FROM file('/etc/passwd', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:9000', system.one)",
    "SELECT * FROM remoteSecure('127.0.0.1:9000', system.one)",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/a', 'CSV', 'a String')",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM executable('a.sh', 'CSV', 'a String')",
    "SELECT name FROM system.users",
    "SELECT query FROM system.processes",
    "SELECT path FROM system.parts",
    "SELECT * FROM cluster('default', system.one)",
    "INSERT INTO windows (deployment) VALUES ('x')",
    "ALTER TABLE windows DELETE WHERE 1",
    "TRUNCATE TABLE windows",
    "DROP TABLE windows",
    "CREATE TABLE mine (a Int8) ENGINE = Memory",
    "CREATE USER mine",
    "GRANT ALL ON *.* TO `driftline-board`",
    "SYSTEM SHUTDOWN",
    "KILL QUERY WHERE 1",
    "SET readonly = 0",
    "SELECT 1 SETTINGS max_execution_time = 600",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 INTO OUTFILE '/tmp/out'",
)
NASTY = [
    "it's",
    "a\\b",
    "tab\there",
    "line\nbreak",
    "') OR 1=1 --",
    "{version:String}",
    "ü😀",
    "",
    "%27",
    "\\'",
    "`",
    "\r\x00",
]


def asking(board: World, talking: Callable[[Source], Awaitable[Any]]) -> Any:
    """Talk to the board's source, as its own user."""

    async def run() -> Any:
        settings = board.settings
        source = Source(settings.clickhouse, settings.board, password(settings.board))
        try:
            return await talking(source)
        finally:
            await source.close()

    return asyncio.run(run())


def test_the_boards_user_can_do_nothing_but_read(board: World) -> None:
    """Each way out of driftline's tables is refused by ClickHouse itself, while the tables can be read."""
    with Client(board.settings.clickhouse) as client:
        client.command("CREATE DATABASE IF NOT EXISTS other")
        client.command("CREATE TABLE IF NOT EXISTS other.secrets (a Int8) ENGINE = Memory")

    async def talking(source: Source) -> list[str]:
        assert (await source.rows("SELECT count() AS found FROM windows", {}))["found"][0] > 0
        passed = []
        for statement in FORBIDDEN:
            try:
                await source.answer(statement, {})
            except NoFiguresError as error:
                refused = error.trouble in (Trouble.DENIED, Trouble.PANEL)
            else:
                refused = False
            passed += [] if refused else [statement]
        return passed

    assert asking(board, talking) == []
    with Client(board.settings.clickhouse) as client:
        assert client.query("SELECT count() AS found FROM windows")[0]["found"] > 0


@pytest.mark.parametrize("value", NASTY)
def test_values_arrive_as_they_were_picked(board: World, value: str) -> None:
    """Whatever is picked is one value, alone and in a list: no quote, escape or brace means anything."""

    async def talking(source: Source) -> dict[str, list[Any]]:
        sql = "SELECT hex({one:String}) AS one, arrayMap(each -> hex(each), {many:Array(String)}) AS many"
        return await source.rows(sql, {"one": value, "many": [value, "b"]})

    found = asking(board, talking)
    expected = value.encode().hex().upper()
    assert found == {"one": [expected], "many": [[expected, "62"]]}


def test_a_question_given_up_stops_in_clickhouse(board: World) -> None:
    """When the browser goes, ClickHouse works no longer for it."""
    mark = f"board gone {time.time_ns()}"

    async def talking(source: Source) -> None:
        sql = f"SELECT count() AS value FROM numbers(1000000000000) WHERE sipHash64(number) = 1 -- {mark}"
        task = asyncio.ensure_future(source.answer(sql, {}))
        await asyncio.to_thread(wait_until, board, mark, 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asking(board, talking)
    wait_until(board, mark, 0)


def wait_until(board: World, mark: str, running: int) -> None:
    """Wait until ClickHouse runs so many queries of the board that hold a mark."""
    deadline = time.monotonic() + 30
    sql = "SELECT count() AS found FROM system.processes WHERE user = 'driftline-board' AND query LIKE {mark:String}"
    with Client(board.settings.clickhouse) as client:
        while client.query(sql, {"mark": f"%{mark}%"})[0]["found"] != running:
            assert time.monotonic() < deadline, f"never {running} of {mark}"
            time.sleep(0.02)


def test_too_many_rows_are_refused_in_words(board: World) -> None:
    """The bound on rows is the user's own, and is told as such."""

    async def talking(source: Source) -> NoFiguresError:
        with pytest.raises(NoFiguresError) as found:
            await source.answer("SELECT number FROM numbers(100000)", {})
        return found.value

    error = asking(board, talking)
    assert (error.trouble, "TOO_MANY_ROWS_OR_BYTES" in error.sentence) == (Trouble.LIMIT, True)


def test_a_wrong_password_is_told_in_words(board: World) -> None:
    """A user that ClickHouse does not let in gives a sentence that names it, and no word of the password."""

    async def run() -> NoFiguresError:
        source = Source(board.settings.clickhouse, board.settings.board, "wrong")
        try:
            with pytest.raises(NoFiguresError) as found:
                await source.answer("SELECT 1", {})
            return found.value
        finally:
            await source.close()

    error = asyncio.run(run())
    assert error.trouble is Trouble.DENIED
    assert "'driftline-board'" in error.sentence
    assert "wrong" not in error.sentence
