"""What one user may do on a secured ClickHouse, found out by asking it, one statement after the other."""

from __future__ import annotations

import http.client
import ssl
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from driftline.schemas.settings import Settings

IDLE_S = 10.0
"""The server closes a connection that idles three times as long."""
ACCESS_DENIED = 497
"""What ClickHouse answers to a statement that needs what was not granted (ErrorCodes.cpp)."""


class Desk:
    """A user of ClickHouse with one connection."""

    def __init__(self, settings: Settings, user: str | None = None, password: str | None = None) -> None:
        known = settings.clickhouse
        context = ssl.create_default_context(cafile=known.ca)
        self._connection = http.client.HTTPSConnection(known.host, known.port, timeout=30, context=context)
        self._asked_s = time.monotonic()
        self._headers = {
            "X-ClickHouse-User": known.user if user is None else user,
            "X-ClickHouse-Key": str(known.password) if password is None else password,
        }

    def __enter__(self) -> Self:
        """Give the desk itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._connection.close()

    def ask(self, statement: str, **settings: str) -> tuple[int, str]:
        """The code of the error, 0 for none, and the text of the answer."""
        path = "/?" + urlencode({"wait_end_of_query": "1", **settings})
        if time.monotonic() - self._asked_s > IDLE_S:
            self._connection.close()
        self._asked_s = time.monotonic()
        self._connection.request("POST", path, body=statement.encode(), headers=self._headers)
        answer = self._connection.getresponse()
        text = answer.read().decode(errors="replace")
        return int(answer.headers.get("X-ClickHouse-Exception-Code", "0")), text

    def may(self, statement: str) -> bool:
        """Whether a statement is allowed, whatever else becomes of it."""
        return self.ask(statement)[0] != ACCESS_DENIED
