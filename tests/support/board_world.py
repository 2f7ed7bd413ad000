"""A board with a ClickHouse of its own, filled with a fleet."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from driftline.deploy.local.board import BoardProcess, with_access
from driftline.deploy.local.clickhouse import ClickHouseServer
from driftline.deploy.local.clickhouse_config import ClickHouseOptions
from driftline.deploy.local.clickhouse_library import fetch_library
from driftline.deploy.local.datadir import DataDirectory
from driftline.deploy.local.ports import free_port
from driftline.schemas.settings import Settings, load
from driftline.streams.clickhouse.migrate import migrate

Shown = tuple[datetime, datetime]


@dataclass(frozen=True)
class World:
    """What runs.

    Attributes:
        settings: reach the ClickHouse, and hold the board's access to it.
        clickhouse: the server, to be killed and started.
        board: the board's process.
        shown: the time that the data lies in.
    """

    settings: Settings
    clickhouse: ClickHouseServer
    board: BoardProcess
    shown: Shown

    @property
    def span(self) -> str:
        """The time of the data as an address has it."""
        return "&".join(
            f"{name}={moment:%Y-%m-%dT%H:%MZ}"
            for name, moment in zip(("from", "to"), self.shown, strict=True)
        )

    def address(self, board: str, **picked: str) -> str:
        """The address of a dashboard that shows the time of the data."""
        return f"{self.board.address}{board}?{self.span}" + "".join(
            f"&{name}={value}" for name, value in picked.items()
        )

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """Ask the board as a program does: status, headers by lower-case name, and what its JSON says."""
        board = self.settings.board
        connection = http.client.HTTPConnection(board.host, board.port, timeout=30)
        try:
            sent = {
                "Content-Type": "application/json",
                **{k.replace("_", "-"): v for k, v in headers.items()},
            }
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            response = connection.getresponse()
            text = response.read()
            kind = response.headers.get("content-type", "")
            said = json.loads(text) if kind.startswith("application/json") and text else text
            return response.status, {k.lower(): v for k, v in response.headers.items()}, said
        finally:
            connection.close()


@contextmanager
def world(folder: Path, filled: Callable[[Settings], Shown]) -> Iterator[World]:
    """Start a ClickHouse in a data directory, fill it, and start a board that asks it.

    Args:
        folder: the data directory; it may have data.
        filled: fills the tables, and says in what time its data lies.
    """
    directory = DataDirectory(folder)
    directory.make()
    wished = load({"DRIFTLINE_LOCAL_DATA_DIR": str(folder)}, None)
    server = ClickHouseServer(
        fetch_library(os.environ, print),
        directory.clickhouse,
        ClickHouseOptions(free_port(set()), ""),
        log=directory.log("clickhouse"),
    )
    server.start()
    board = None
    try:
        access = msgspec.structs.replace(wished.clickhouse, port=server.port)
        settings = with_access(msgspec.structs.replace(wished, clickhouse=access), directory)
        migrate(settings)
        shown = filled(settings)
        port = free_port({server.port})
        settings = msgspec.structs.replace(settings, board=msgspec.structs.replace(settings.board, port=port))
        board = BoardProcess(settings, log=directory.log("board"), cwd=folder)
        board.start()
        yield World(settings, server, board, shown)
    finally:
        if board is not None:
            board.stop()
        server.stop()
