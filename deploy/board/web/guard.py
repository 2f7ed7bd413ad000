"""Guard: which requests the board answers at all: by the name they call it, where they come from, and their token."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from collections import deque
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Final

from driftline.deploy.board.web.errors import BoardError, NoFiguresError, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.schemas.settings_board import Board

COOKIE: Final = "driftline-board"
SESSION_S: Final = 12 * 3600
_TRIES: Final = 10
_TRIES_S: Final = 60.0
_SHORTEST: Final = 16
_LOOPBACK_NAMES: Final = frozenset(("localhost", "127.0.0.1", "[::1]"))


class Guard:
    """Decides who is answered.

    Args:
        board: the settings.
        token: "" for none.
        now: seconds since the epoch.
    """

    def __init__(self, board: Board, token: str, now: Callable[[], float] = time.time) -> None:
        self._token, self._now = token.encode(), now
        # A page of another site can point its own name at this machine, but not change the name it asks for.
        self._names = frozenset(board.called) | (_LOOPBACK_NAMES if _is_loopback(board.host) else frozenset())
        self._wrong: deque[float] = deque(maxlen=_TRIES)

    @property
    def needs_token(self) -> bool:
        """Whether a token is asked for."""
        return bool(self._token)

    def check_name(self, headers: Mapping[str, str]) -> None:
        """Refuse a request that calls the board by a name that is not its own.

        Raises:
            NoFiguresError: it does.
        """
        host = headers.get("host", "").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if self._names and name not in self._names:
            raise NoFiguresError(
                Trouble.ASKED,
                f"the board is not called {name[:253]!r}: use its address, or add the name to board.names",
                status=HTTPStatus.MISDIRECTED_REQUEST,
            )

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """Refuse a question that a page of another site asks.

        Raises:
            NoFiguresError: one does.
        """
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise NoFiguresError(
                Trouble.ASKED,
                "the board answers its own pages alone: open it by its address",
                status=HTTPStatus.FORBIDDEN,
            )

    def check_token(self, headers: Mapping[str, str]) -> None:
        """Refuse whoever shows neither the token nor the cookie that was given for it.

        Raises:
            NoFiguresError: neither is shown, or a wrong one.
        """
        if not self._token:
            return
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            self._check_shown(shown.strip())
        elif not self._is_session(headers.get("cookie", "")):
            raise NoFiguresError(Trouble.LOGIN, "the board asks for its token: log in at /login")

    def log_in(self, shown: str) -> str:
        """Give the value of the cookie for a token.

        Raises:
            NoFiguresError: it is not the token, or too many were wrong of late.
        """
        self._check_shown(shown)
        ends = str(int(self._now()) + SESSION_S)
        return f"{ends}.{self._signed(ends)}"

    def _check_shown(self, shown: str) -> None:
        if hmac.compare_digest(shown.encode(), self._token):
            return
        now = self._now()
        too_many = len(self._wrong) == _TRIES and now - self._wrong[0] < _TRIES_S
        self._wrong.append(now)
        if too_many:
            raise NoFiguresError(
                Trouble.LOGIN,
                f"more than {_TRIES} wrong tokens came within a minute: read it again where board.token_file lies",
                status=HTTPStatus.TOO_MANY_REQUESTS,
                again_s=int(_TRIES_S),
            )
        raise NoFiguresError(Trouble.LOGIN, "that is not the board's token: it stands in board.token_file")

    def _is_session(self, cookie: str) -> bool:
        try:
            found = SimpleCookie(cookie).get(COOKIE)
        except CookieError:
            return False
        ends, _, signed = (found.value if found else "").partition(".")
        if (
            not ends.isascii()
            or not ends.isdigit()
            or not hmac.compare_digest(signed.encode(), self._signed(ends).encode())
        ):
            return False
        return int(ends) > self._now()

    def _signed(self, ends: str) -> str:
        """Sign the end of a session; another token ends all sessions."""
        return hmac.new(self._token, b"driftline board session " + ends.encode(), hashlib.sha256).hexdigest()


def token_of(board: Board) -> str:
    """Read the token.

    Raises:
        BoardError: it is too short to be one, or lacks where everybody could ask.
    """
    token = Path(board.token_file).read_text(encoding="utf-8").strip() if board.token_file else ""
    if token and len(token) < _SHORTEST:
        raise BoardError(
            f"{board.token_file} holds a token of {len(token)} characters: write one of {_SHORTEST} or more"
        )
    if not token and not _is_loopback(board.host):
        raise BoardError(
            f"the board would listen on {board.host}, for everybody: name a file with a token in board.token_file, or "
            "listen on 127.0.0.1"
        )
    return token


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
