"""Source: asks ClickHouse as the board's user; bounded in number, time and size, and given up when nobody listens."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import ssl
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import msgspec
from clickhouse_connect.driver.binding import bind_query

from driftline.deploy.board.web.errors import NoFiguresError, Trouble
from driftline.streams.clickhouse.users import PAGE, settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.schemas.settings import ClickHouse
    from driftline.schemas.settings_board import Board

CONNECT_S: Final = 3
AGAIN_S: Final = 2
# Codes of ClickHouse's src/Common/ErrorCodes.cpp.
_TIMEOUT: Final = frozenset((159, 160, 209))
_LIMIT: Final = frozenset((158, 191, 241, 307, 396))
_DENIED: Final = frozenset((164, 192, 193, 194, 497, 516))
_BUSY: Final = frozenset((202,))
_AWAY: Final = frozenset((203, 210, 236, 242, 439))
_MISSING: Final = frozenset((60, 81))
_NAME: Final = re.compile(r"\(([A-Z_]+)\)")
_OURS: Final = frozenset(
    ("cancel_http_readonly_queries_on_client_close", "max_result_bytes", "max_result_rows", "max_threads")
)
_SAFE: Final = "SELECT toInt64(getSetting('readonly')) AS readonly"


class Source:
    """ClickHouse as the board sees it.

    Args:
        clickhouse: where the server is.
        board: as whom it is asked, and the bounds.
        password: of that user.
    """

    def __init__(self, clickhouse: ClickHouse, board: Board, password: str) -> None:
        self._clickhouse, self._board = clickhouse, board
        known = base64.b64encode(f"{board.clickhouse_user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {known}"}
        scheme = "https" if clickhouse.secure else "http"
        self.where = f"{clickhouse.host}:{clickhouse.port}"
        self._url = f"{scheme}://{self.where}/"
        self._turn = asyncio.Semaphore(board.queries)
        self._waiting = 0
        self._session: aiohttp.ClientSession | None = None
        self._is_safe = False
        self._bounds: dict[str, str] = {}

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def rows(self, sql: str, parameters: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Run a statement and give its columns by name. Raises as `answer`."""
        decoded = msgspec.json.decode(await self.answer(sql, parameters))
        # Without a row ClickHouse names no column among the data.
        return {column["name"]: decoded["data"].get(column["name"], []) for column in decoded["meta"]}

    async def answer(self, sql: str, parameters: Mapping[str, Any]) -> bytes:
        """Run a statement and give its answer as JSON: `meta` (name and type of each column), `data` (columns), `rows`.

        Args:
            sql: the statement, values as `{name:Type}`.
            parameters: those values.

        Raises:
            NoFiguresError: there is none, and why.
        """
        if self._turn.locked() and self._waiting >= self._board.waiting:
            raise NoFiguresError(
                Trouble.BUSY,
                f"{self._waiting} questions wait for ClickHouse already: this one is asked again by itself",
                again_s=AGAIN_S,
            )
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        try:
            if not self._is_safe:
                await self._check()
            return await self._ask(sql, parameters)
        finally:
            self._turn.release()

    async def _check(self) -> None:
        """Refuse a user who may write: what a page reaches must not be able to."""
        found = msgspec.json.decode(await self._ask(_SAFE, {}))["data"]["readonly"][0]
        if found == 0:
            raise NoFiguresError(
                Trouble.DENIED,
                f"the user {self._board.clickhouse_user!r} of ClickHouse may write, so the board does not ask as it: "
                "name one of the role 'board' in board.clickhouse_user, see docs/board.md",
            )
        if found > 1:
            # Such a user may ask for less; one of readonly 1 has all of it from its profile.
            self._bounds = {name: str(value) for name, value, _ in settings_of(PAGE) if name in _OURS}
        self._is_safe = True

    async def _ask(self, sql: str, parameters: Mapping[str, Any]) -> bytes:
        # It leaves the statement as it is: every value is one of ClickHouse's own parameters.
        _, bound = bind_query(sql, dict(parameters))
        query = {
            **bound,
            "database": self._clickhouse.database,
            "default_format": "JSONColumnsWithMetadata",
            # An error that comes late is a status all the same.
            "wait_end_of_query": "1",
            **self._bounds,
        }
        try:
            async with (
                asyncio.timeout(self._board.query_seconds),
                self._opened().post(self._url, params=query, data=sql.encode()) as response,
            ):
                body = await self._read(response)
                if response.status != HTTPStatus.OK:
                    raise self._refused(response.headers.get("X-ClickHouse-Exception-Code", ""), body)
                return body
        except TimeoutError:
            raise NoFiguresError(
                Trouble.TIMEOUT,
                f"ClickHouse did not answer within {self._board.query_seconds:g} s: show less time, or pick fewer",
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            self._is_safe = False
            raise NoFiguresError(
                Trouble.AWAY,
                f"ClickHouse at {self.where} does not answer ({_cause(error)}): see 'driftline status'",
                again_s=AGAIN_S,
            ) from None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        parts, size = [], 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > self._board.answer_bytes:
                response.close()
                raise NoFiguresError(
                    Trouble.LIMIT,
                    f"the answer is larger than {self._board.answer_bytes:,} bytes: show less time, or pick fewer",
                )
            parts.append(part)
        return b"".join(parts)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
            connector = aiohttp.TCPConnector(limit=self._board.queries, ssl=_tls(self._clickhouse))
            self._session = aiohttp.ClientSession(
                headers=self._headers, timeout=timeout, connector=connector, trust_env=False
            )
        return self._session

    def _refused(self, code: str, body: bytes) -> NoFiguresError:
        """Turn what ClickHouse says into what a person can use; its own words go no further than their name."""
        number = int(code) if code.isdigit() else 0
        text = body.decode(errors="replace")
        name = found[1] if (found := _NAME.search(text)) else f"code {number}"
        if number in _TIMEOUT:
            return NoFiguresError(
                Trouble.TIMEOUT, "ClickHouse gave up in time: show less time, or pick fewer"
            )
        if number in _LIMIT:
            return NoFiguresError(
                Trouble.LIMIT, f"this is more than the board may read ({name}): show less time, or pick fewer"
            )
        if number in _DENIED:
            user = self._board.clickhouse_user
            return NoFiguresError(
                Trouble.DENIED,
                f"the user {user!r} of ClickHouse may not read this ({name}): see docs/board.md",
            )
        if number in _BUSY or number in _AWAY:
            return NoFiguresError(
                Trouble.BUSY,
                f"ClickHouse takes nothing now ({name}): this is asked again by itself",
                again_s=AGAIN_S,
            )
        if number in _MISSING:
            return NoFiguresError(Trouble.PANEL, f"a table is not there ({name}): run 'driftline migrate'")
        return NoFiguresError(Trouble.PANEL, f"ClickHouse cannot answer this panel ({name}): see its log")


def _tls(clickhouse: ClickHouse) -> ssl.SSLContext | bool:
    if not clickhouse.secure:
        return True
    context = ssl.create_default_context(cafile=clickhouse.ca or None)
    if not clickhouse.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if clickhouse.client_certificate:
        context.load_cert_chain(clickhouse.client_certificate, clickhouse.client_key)
    return context


def _cause(error: BaseException) -> str:
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    number = getattr(inner, "errno", None)
    return (os.strerror(number) if number and number > 0 else type(inner).__name__).lower()


def password(board: Board) -> str:
    """Give the password of the board's user; "" without a file."""
    return Path(board.clickhouse_password_file).read_text().strip() if board.clickhouse_password_file else ""
