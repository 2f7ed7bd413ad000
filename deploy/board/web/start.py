"""Start: the board as a process: settings checked, a port opened, its address told."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import TYPE_CHECKING, Final

import msgspec
import uvicorn

from driftline.deploy.board.web.app import App
from driftline.deploy.board.web.errors import BoardError
from driftline.deploy.board.web.guard import Guard, token_of
from driftline.deploy.board.web.source import Source, password
from driftline.schemas.ports import why_none

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.schemas.settings import Settings
    from driftline.schemas.settings_board import Board

CONNECTIONS: Final = 512
_STOP_S: Final = 3


def run(settings: Settings, said: Callable[[str], None]) -> int:
    """Serve until told to stop (SIGTERM or Ctrl-C).

    Args:
        settings: with the addresses of what runs.
        said: told the board's address once it answers.

    Raises:
        BoardError: it cannot be started, and why.
    """
    board = settings.board
    token = token_of(board)
    user, secret = asks_as(settings)
    board = msgspec.structs.replace(board, clickhouse_user=user)
    # uvicorn ends in order, then raises the signal again for whoever had it before: being told to stop is no failure.
    for word in (signal.SIGTERM, signal.SIGINT):
        signal.signal(word, _stop)
    with _listening(board.host, board.port) as opened:
        said(address(board.host, opened.getsockname()[1]))
        return asyncio.run(_serve(settings, board, secret, token, opened))


def asks_as(settings: Settings) -> tuple[str, str]:
    """Give the user that ClickHouse is asked as, and its password: the board's own, else that of all settings.

    Raises:
        BoardError: the file of the password cannot be read.
    """
    board = settings.board
    if not board.clickhouse_user:
        return settings.clickhouse.user, str(settings.clickhouse.password)
    try:
        return board.clickhouse_user, password(board)
    except OSError as error:
        raise BoardError(f"{board.clickhouse_password_file} cannot be read: {error.strerror}") from None


def address(host: str, port: int) -> str:
    """Give the address that people open."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


async def _serve(settings: Settings, board: Board, secret: str, token: str, opened: socket.socket) -> int:
    source = Source(settings.clickhouse, board, secret)
    server = uvicorn.Server(
        uvicorn.Config(
            App(source, Guard(board, token), board.runbooks),
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=_STOP_S,
        )
    )
    try:
        await server.serve(sockets=[opened])
    finally:
        await source.close()
    return 0


def _stop(_word: int, _frame: object) -> None:
    raise SystemExit(0)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
    except (OSError, UnicodeError) as error:
        raise BoardError(
            f"{host}:{port} cannot be listened on ({why_none(error)}): name another with board.host and board.port"
        ) from error
    return opened
