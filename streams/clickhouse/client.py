"""Client: the one way to ClickHouse, over HTTP; whole Arrow tables in, dictionaries out.

HTTP with ArrowStream carried 685,000 rows a second where the native driver carried 89,000 to 481,000. A client is made
lazily and again after each failure, so a worker outlives any number of restarts of the server.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Self

import clickhouse_connect
import pyarrow as pa
import urllib3
import urllib3.exceptions
from clickhouse_connect.driver.exceptions import ClickHouseError as DriverError
from clickhouse_connect.driver.exceptions import DatabaseError

from driftline.schemas.clients import clickhouse_config
from driftline.streams.clickhouse.errors import ClickHouseAwayError, ClickHouseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from clickhouse_connect.driver.client import Client as Driver

    from driftline.schemas.settings import ClickHouse

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5
# What a server may take to say that it is there, before anything is asked of it: one that is stopped takes connections,
# and would be waited for as long as an answer may take.
OPEN_SECONDS = 15
# Above any insert seen; an insert that takes longer is repeated with its token, so a wrong guess costs time alone.
ANSWER_SECONDS = 120
# How an insert must behave for the archive's promises; each line says why it is not the server's default.
INSERT_SETTINGS: Mapping[str, str | int] = {
    # On by default since 26.x: an acknowledged block would still be in memory.
    "async_insert": 0,
    # One insert is one block however large, so that its token means the same rows each time.
    "min_insert_block_size_rows": 100_000_000,
    "min_insert_block_size_bytes": 0,
    # Ten years of shuffled events are 120 months in one block; the default refuses more than 100.
    "max_partitions_per_insert_block": 0,
    "insert_deduplicate": 1,
}
# On a cluster what is acknowledged lies on most of its servers: the log's position is stored after it.
CLUSTER_INSERT_SETTINGS: Mapping[str, str | int] = {**INSERT_SETTINGS, "insert_quorum": "auto"}
# What ClickHouse says when waiting mends it: no memory, no disk, too many parts or queries, shutting down, read-only,
# time-outs, a client cut off, too few replicas. Codes of src/Common/ErrorCodes.cpp.
_AWAY_CODES = frozenset((159, 202, 203, 209, 210, 236, 241, 242, 243, 252, 285, 286, 319, 394, 425, 439, 999))
_UNDER_WAY_CODE = 216
# Drivers whose connections are closed. One that opens asks for 1,500 settings of the server, which costs both sides
# seven times a small query; many reads open a client each, and take one of these up instead.
_IDLE_DRIVERS: Final = 8
_idle: deque[tuple[object, Driver]] = deque(maxlen=_IDLE_DRIVERS)
_idle_lock = threading.Lock()


class Client:
    """A connection to the database named in the settings; not to be shared between threads."""

    def __init__(
        self, settings: ClickHouse, *, database: str | None = None, answer_seconds: int = ANSWER_SECONDS
    ) -> None:
        """Keep the settings; nothing is opened yet.

        Args:
            settings: where the server is.
            database: to work in, over that of the settings.
            answer_seconds: how long one answer is waited for.
        """
        self.settings, self._answer_seconds = settings, answer_seconds
        self.database = settings.database if database is None else database
        self._key = (settings, self.database, answer_seconds)
        self._driver: Driver | None = None

    def __enter__(self) -> Self:
        """Give the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close_connections()
            with _idle_lock:
                _idle.append((self._key, driver))

    def query(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        formats: Mapping[str, str] | None = None,
    ) -> list[dict[str, Any]]:
        """Run a SELECT and give its rows, one dictionary each.

        Args:
            sql: the statement, values as `{name:Type}`.
            parameters: those values.
            formats: column → `bytes` for one whose text is no UTF-8.

        Raises:
            ClickHouseAwayError: no answer, or "not now".
            ClickHouseError: the server objects to the statement.
        """
        given = _given(parameters)
        try:
            result = self._open().query(sql, parameters=given, column_formats=dict(formats or {}))
            return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]
        except (DriverError, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failed(error) from error

    def blocks(self, sql: str, parameters: Mapping[str, Any]) -> Iterator[pa.Table]:
        """Run a SELECT and give its rows as Arrow, a block of the server at a time. Raises as `query`."""
        given = _given(parameters)
        try:
            with self._open().query_arrow_stream(sql, parameters=given) as stream:
                for block in stream:
                    yield block if isinstance(block, pa.Table) else pa.Table.from_batches([block])
        except (DriverError, urllib3.exceptions.HTTPError, OSError, pa.ArrowInvalid) as error:
            raise self._failed(error) from error

    def table(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Run a SELECT and give its rows as one Arrow table, for many of them. Raises as `query`."""
        given = _given(parameters)
        try:
            return self._open().query_arrow(sql, parameters=given, use_strings=True)
        except (DriverError, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failed(error) from error

    def command(self, sql: str, query_id: str | None = None) -> None:
        """Run one statement that gives no rows; refused while one of the same id is under way. Raises as `query`."""
        try:
            self._open().command(sql, settings=None if query_id is None else {"query_id": query_id})
        except (DriverError, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failed(error) from error

    def insert(self, table: str, rows: pa.Table, token: str) -> None:
        """Insert a table of rows once for its token, and return when they are on disk.

        Args:
            table: name of the table, without database.
            rows: columns by name; columns of `table` that are not named take their default.
            token: names this content: a second insert with the same token adds nothing.

        Raises:
            ClickHouseAwayError: no answer, or "not now": insert again with the same token.
            ClickHouseError: the server objects to the rows.
        """
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as stream:
            stream.write_table(rows)
        try:
            self._open().raw_insert(
                table,
                column_names=rows.column_names,
                insert_block=memoryview(sink.getvalue()),  # type: ignore[arg-type]
                settings={
                    **(CLUSTER_INSERT_SETTINGS if self.settings.cluster else INSERT_SETTINGS),
                    "insert_deduplication_token": token,
                },
                fmt="ArrowStream",
            )
        except (DriverError, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failed(error) from error

    def _open(self) -> Driver:
        """Give the open connection, or open one; either way the server has said that it is there."""
        if self._driver is not None:
            return self._driver
        open_s = min(OPEN_SECONDS, self._answer_seconds)
        self._driver = _taken_up(self._key)
        if self._driver is not None:
            if not self._driver.ping(open_s):
                raise TimeoutError(f"no answer in {open_s} s")
            return self._driver
        self._driver = clickhouse_connect.get_client(
            **clickhouse_config(self.settings),
            database=self.database,
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=open_s,
            query_retries=0,
            # The pool all clients share keeps connections after `close`; a server that stops waits 5 s for them.
            dedicated_pool=True,
            autogenerate_session_id=False,
            client_name="driftline",
        )
        answer_s = urllib3.Timeout(connect=CONNECT_SECONDS, read=self._answer_seconds)
        self._driver.timeout = answer_s  # type: ignore[attr-defined]  # the driver over HTTP has it
        return self._driver

    def _failed(self, error: Exception) -> ClickHouseError:
        """Drop the driver, with the pool that is its own, and turn what it raised into our error."""
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()
        where = f"{self.settings.host}:{self.settings.port}"
        text = " ".join(str(error).split())[:400]
        code = error.code if isinstance(error, DatabaseError) else None
        if code == _UNDER_WAY_CODE:
            return ClickHouseError(
                f"ClickHouse at {where} is still at work on this very statement of another run, whose command may have "
                "ended: wait until it is through, and try again"
            )
        if code is not None and code not in _AWAY_CODES:
            return ClickHouseError(f"ClickHouse at {where} refused: {text}")
        if code is not None:
            return ClickHouseAwayError(f"ClickHouse at {where} takes nothing now: {text}")
        mend = "start it with 'driftline up', or see 'driftline doctor'"
        return ClickHouseAwayError(f"ClickHouse at {where} does not answer ({_cause(error)}): {mend}")


def _taken_up(key: object) -> Driver | None:
    """Take an idle driver of these settings, None when there is none."""
    with _idle_lock:
        for pair in _idle:
            if pair[0] == key:
                _idle.remove(pair)
                return pair[1]
    return None


def _given(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Give the values of a statement; a command line may hold bytes that are no text, which no request can carry."""
    for name, value in (parameters or {}).items():
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ClickHouseError(f"{name} {value[:100]!r} is no text: write it in UTF-8") from None
    return dict(parameters or {})


def _cause(error: BaseException) -> str:
    """What the system said beneath the wrappings of urllib3 and the driver, which quote each other at length."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and not isinstance(seen, urllib3.exceptions.HTTPError):
            return (seen.strerror or str(seen) or type(seen).__name__).lower()
        wrapped = getattr(seen, "reason", None)
        seen = wrapped if isinstance(wrapped, BaseException) else seen.__cause__ or seen.__context__
    return " ".join(str(error).split())[:100] or type(error).__name__
