"""How the board asks ClickHouse, over a server of HTTP that says what ClickHouse would."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from aiohttp import web

from driftline.deploy.board.web.errors import NoFiguresError, Trouble
from driftline.deploy.board.web.source import Source
from driftline.schemas.settings import ClickHouse
from driftline.schemas.settings_board import Board

SQL = "SELECT {name:String} AS value"
USER = {"clickhouse_user": "reader"}
Handler = Callable[[web.Request, str], Awaitable[web.StreamResponse]]


class Server:
    """Answers what a test says, and notes what it is asked; the question for `readonly` it answers itself."""

    def __init__(self, handler: Handler, readonly: int = 1) -> None:
        self.asked: list[tuple[web.Request, str]] = []
        self.came, self.gone = asyncio.Event(), asyncio.Event()
        self._handler, self._readonly = handler, readonly

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        sql = (await request.read()).decode()
        if "getSetting" in sql:
            return web.json_response({"data": {"readonly": [self._readonly]}})
        self.asked.append((request, sql))
        self.came.set()
        try:
            return await self._handler(request, sql)
        except asyncio.CancelledError:
            self.gone.set()
            raise


def talk(
    handler: Handler,
    talking: Callable[[Source, Server], Coroutine[Any, Any, None]],
    readonly: int = 1,
    **board: Any,
) -> None:
    """Run a conversation between a source and a server that exists for it alone."""

    async def run() -> None:
        server = Server(handler, readonly)
        application = web.Application()
        application.router.add_post("/", server.answer)
        runner = web.AppRunner(application, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        source = Source(ClickHouse(port=port), Board(**USER, **board), "sécret")
        try:
            async with asyncio.timeout(10):
                await talking(source, server)
        finally:
            await source.close()
            await runner.cleanup()

    asyncio.run(run())


async def fine(_request: web.Request, _sql: str) -> web.StreamResponse:
    """Answer one row."""
    meta = [{"name": "value", "type": "String"}]
    return web.json_response({"meta": meta, "data": {"value": ["a"]}, "rows": 1})


def refusing(code: int, text: str) -> Handler:
    """A server that refuses everything as ClickHouse does."""

    async def refuse(_request: web.Request, _sql: str) -> web.StreamResponse:
        return web.Response(status=500, text=text, headers={"X-ClickHouse-Exception-Code": str(code)})

    return refuse


async def trouble(source: Source) -> NoFiguresError:
    """The trouble that a question ends in."""
    with pytest.raises(NoFiguresError) as found:
        await source.answer(SQL, {"name": "x"})
    return found.value


def test_values_go_beside_the_statement() -> None:
    """The statement goes as it is, its values as ClickHouse's parameters, and no setting with them."""

    async def talking(source: Source, server: Server) -> None:
        assert await source.rows(SQL, {"name": "'; DROP TABLE windows"}) == {"value": ["a"]}
        request, sql = server.asked[0]
        assert sql == SQL
        assert set(request.query) == {"param_name", "database", "default_format", "wait_end_of_query"}
        known = request.headers["Authorization"].removeprefix("Basic ")
        assert base64.b64decode(known).decode() == "reader:sécret"
        assert "cret" not in str(request.url)

    talk(fine, talking)


def test_an_answer_without_rows_has_its_columns() -> None:
    """ClickHouse leaves out columns that hold nothing; they are there all the same."""

    async def nothing(_request: web.Request, _sql: str) -> web.StreamResponse:
        return web.json_response({"meta": [{"name": "value", "type": "String"}], "data": {}, "rows": 0})

    async def talking(source: Source, _server: Server) -> None:
        assert await source.rows(SQL, {"name": "x"}) == {"value": []}

    talk(nothing, talking)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (159, Trouble.TIMEOUT),
        (396, Trouble.LIMIT),
        (241, Trouble.LIMIT),
        (497, Trouble.DENIED),
        (516, Trouble.DENIED),
        (202, Trouble.BUSY),
        (60, Trouble.PANEL),
        (47, Trouble.PANEL),
    ],
)
def test_what_clickhouse_refuses_is_told_in_words(code: int, kind: Trouble) -> None:
    """Its codes become kinds that the page knows; its own words, which may hold data, go no further than their name."""

    async def talking(source: Source, server: Server) -> None:
        error = await trouble(source)
        assert error.trouble is kind
        assert "private" not in error.sentence
        assert ("SOME_NAME" in error.sentence) == (kind is not Trouble.TIMEOUT)
        assert len(server.asked) == 1

    talk(refusing(code, f"Code: {code}. DB::Exception: private (SOME_NAME)"), talking)


def test_a_user_who_may_write_is_not_asked_as() -> None:
    """Before the first question the board looks whether its user is read-only, and asks nothing as one that is not."""

    async def talking(source: Source, server: Server) -> None:
        error = await trouble(source)
        assert (error.trouble, "may write" in error.sentence) == (Trouble.DENIED, True)
        assert server.asked == []

    talk(fine, talking, readonly=0)


def test_a_user_with_a_looser_profile_is_bounded_by_the_board() -> None:
    """Where requests may carry settings, the board's say that a query ends with its browser, and how much it takes."""

    async def talking(source: Source, server: Server) -> None:
        await source.answer(SQL, {"name": "x"})
        query = server.asked[0][0].query
        assert query["cancel_http_readonly_queries_on_client_close"] == "1"
        assert query["max_result_rows"] == "50000"
        assert "readonly" not in query

    talk(fine, talking, readonly=2)


def test_a_panel_has_its_time() -> None:
    """What takes longer than allowed is given up on both sides, and told so."""

    async def forever(_request: web.Request, _sql: str) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async def talking(source: Source, server: Server) -> None:
        error = await trouble(source)
        assert (error.trouble, "0.2 s" in error.sentence) == (Trouble.TIMEOUT, True)
        await asyncio.wait_for(server.gone.wait(), 10)

    talk(forever, talking, query_seconds=0.2)


def test_an_answer_has_its_size() -> None:
    """A larger one is not held in memory but refused."""

    async def large(_request: web.Request, _sql: str) -> web.StreamResponse:
        return web.Response(body=b"x" * 200_000)

    async def talking(source: Source, _server: Server) -> None:
        error = await trouble(source)
        assert (error.trouble, "65,536 bytes" in error.sentence) == (Trouble.LIMIT, True)

    talk(large, talking, answer_bytes=1 << 16)


def test_only_so_many_are_asked_at_once_and_wait() -> None:
    """Beyond the questions under way and those that wait, one is told to come again."""
    under_way, most = 0, 0

    async def slowly(request: web.Request, sql: str) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        under_way -= 1
        return await fine(request, sql)

    async def talking(source: Source, _server: Server) -> None:
        answers = await asyncio.gather(
            *(source.answer(SQL, {"name": "x"}) for _ in range(8)), return_exceptions=True
        )
        refused = [each for each in answers if isinstance(each, NoFiguresError)]
        assert [each.trouble for each in refused] == [Trouble.BUSY] * 3
        assert all(each.again_s for each in refused)
        assert most == 2
        assert await source.answer(SQL, {"name": "x"})

    talk(slowly, talking, queries=2, waiting=3)


def test_a_question_given_up_frees_its_place() -> None:
    """The question of a browser that left is cut off at ClickHouse, and the next has its turn."""

    async def first_forever(request: web.Request, sql: str) -> web.StreamResponse:
        if request.query["param_name"] == "forever":
            await asyncio.Event().wait()
        return await fine(request, sql)

    async def talking(source: Source, server: Server) -> None:
        task = asyncio.ensure_future(source.answer(SQL, {"name": "forever"}))
        await asyncio.wait_for(server.came.wait(), 10)
        task.cancel()
        assert await source.answer(SQL, {"name": "x"})
        await asyncio.wait_for(server.gone.wait(), 10)

    talk(first_forever, talking, queries=1)


def test_a_server_that_is_away_is_named() -> None:
    """Without an answer the sentence says where ClickHouse was looked for, and it may be asked again."""

    async def run() -> None:
        source = Source(ClickHouse(port=1), Board(**USER), "")
        try:
            error = await trouble(source)
        finally:
            await source.close()
        assert error.trouble is Trouble.AWAY
        assert "127.0.0.1:1 does not answer (connection refused)" in error.sentence
        assert error.again_s

    asyncio.run(run())
