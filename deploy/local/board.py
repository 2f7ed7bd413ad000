"""The board as a child process of the local stack: `driftline board` with the stack's settings."""

from __future__ import annotations

import http.client
import sys
from pathlib import Path

import msgspec

from driftline.deploy.access.files import BOARD_TOKEN
from driftline.deploy.local.clickhouse import BOARD_SECRET
from driftline.deploy.local.component import Component
from driftline.deploy.local.datadir import DataDirectory
from driftline.deploy.local.environment import child_environment
from driftline.deploy.local.owner import owner_of_port
from driftline.deploy.local.ports import LOOPBACK, claim, free_port
from driftline.deploy.local.spawn import Process, spawn_guarded
from driftline.deploy.local.stack import Stack
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse.users import user_of

BOARD = "board"
_ANSWER_SECONDS = 2.0


class BoardProcess(Component):
    """The board; it is ready when it answers, whether or not ClickHouse does."""

    name = BOARD

    def __init__(self, settings: Settings, *, log: Path, cwd: Path, config: Path | None = None) -> None:
        """Describe the board; nothing is started.

        Args:
            settings: what it is told, by variables; the port is a real one.
            log: file for its output.
            cwd: its working directory.
            config: the settings file that names it its role, for what variables must not carry.

        """
        super().__init__(log)
        self._settings = settings
        self._cwd, self._config = cwd, config

    @property
    def address(self) -> str:
        """What people open."""
        return f"http://{self._settings.board.host}:{self._settings.board.port}/"

    def launch(self) -> Process:
        """Start the board."""
        command = [sys.executable, "-m", "driftline.deploy.cli", BOARD]
        env = child_environment(self._settings, config=self._config)
        return spawn_guarded(command, cwd=self._cwd, log=self.log, env=env)

    def is_ready(self) -> bool:
        """Say whether it answers."""
        board = self._settings.board
        connection = http.client.HTTPConnection(board.host, board.port, timeout=_ANSWER_SECONDS)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().read() == b'{"ok":true}'
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def ended(self) -> None:
        """Release nothing: all it held ended with it."""


def board_process(stack: Stack, cwd: Path) -> BoardProcess:
    """Give the board of a stack that has started."""
    settings = with_access(stack.settings_of(BOARD), stack.directory)
    settings = msgspec.structs.replace(
        settings, board=msgspec.structs.replace(settings.board, port=_port(stack))
    )
    return BoardProcess(settings, log=stack.directory.log(BOARD), cwd=cwd, config=stack.file_of(BOARD))


def with_access(settings: Settings, directory: DataDirectory) -> Settings:
    """Give the settings with the token of a secured stack, else the user of a ClickHouse without users by role.

    Neither where another is named.
    """
    password_file, token_file = directory.clickhouse / BOARD_SECRET, directory.access / BOARD_TOKEN
    board = settings.board
    if settings.local.clickhouse == "outside":
        return settings
    if settings.clickhouse.secure:
        if board.token_file or not token_file.is_file():
            return settings
        board = msgspec.structs.replace(board, token_file=str(token_file))
        return msgspec.structs.replace(settings, board=board)
    if board.clickhouse_user or not password_file.is_file():
        return settings
    board = msgspec.structs.replace(
        board,
        clickhouse_user=user_of(BOARD, settings.clickhouse.database),
        clickhouse_password_file=str(password_file),
    )
    return msgspec.structs.replace(settings, board=board)


def _port(stack: Stack) -> int:
    """Give the chosen port, else the one of the last start, so that addresses stay, else a free one."""
    wished = stack.wishes.board
    if wished.port and wished.host == LOOPBACK:
        return claim(wished.port, setting="board.port", owner=owner_of_port(wished.port))
    if wished.port:
        return wished.port
    identity = stack.directory.identity()
    port = free_port({identity.kafka_port, identity.clickhouse_port}, preferred=identity.board_port)
    stack.directory.write_identity(msgspec.structs.replace(identity, board_port=port))
    return port
