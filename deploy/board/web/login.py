"""Login: the page that takes the token and gives a cookie for it."""

from __future__ import annotations

import html
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, quote

from driftline.deploy.board.web import http
from driftline.deploy.board.web.errors import NoFiguresError
from driftline.deploy.board.web.guard import COOKIE, SESSION_S

if TYPE_CHECKING:
    from driftline.deploy.board.web.files import File
    from driftline.deploy.board.web.guard import Guard
    from driftline.deploy.board.web.http import Header, Receive, Scope, Send

_FORM_BYTES: Final = 16_384


class Login:
    """The login page.

    Args:
        guard: knows the token.
        page: with the places @SAID@ and @NEXT@.
    """

    def __init__(self, guard: Guard, page: File) -> None:
        self._guard, self._page = guard, page.body.decode()

    def place(self, scope: Scope) -> str:
        """Give the address of the login that leads back to where a request wanted to go."""
        wanted = scope["path"] + (
            f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
        )
        return f"/login?next={quote(wanted, safe='')}"

    async def show(self, scope: Scope, send: Send) -> None:
        """Show the page."""
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        await http.answer(send, HTTPStatus.OK, http.HTML, self._filled("", _own(asked)))

    async def post(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a token, or end the session."""
        if path == "/logout":
            return await http.redirect(send, "/login", (_cookie("", 0, scope),))
        body = await http.body_of(receive, _FORM_BYTES)
        form = parse_qs(body.decode(errors="replace"))
        try:
            session = self._guard.log_in(form.get("token", [""])[0].strip())
        except NoFiguresError as error:
            page = self._filled(error.sentence, _own(form))
            again = () if error.again_s is None else ((b"retry-after", str(error.again_s).encode()),)
            return await http.answer(send, error.status, http.HTML, page, (http.NO_STORE, *again))
        return await http.redirect(send, _own(form), (_cookie(session, SESSION_S, scope),))

    def _filled(self, said: str, place: str) -> bytes:
        return self._page.replace("@SAID@", html.escape(said)).replace("@NEXT@", html.escape(place)).encode()


def _own(form: dict[str, list[str]]) -> str:
    """Give where to go after the login: a place on this server, whatever was asked."""
    wanted = form.get("next", ["/"])[0]
    is_own = (
        wanted.startswith("/")
        and not wanted.startswith(("//", "/\\"))
        and wanted.isascii()
        and wanted.isprintable()
    )
    return wanted if is_own else "/"


def _cookie(value: str, age_s: int, scope: Scope) -> Header:
    forwarded = http.headers_of(scope).get("x-forwarded-proto", scope.get("scheme", "http"))
    secure = "; Secure" if forwarded == "https" else ""
    return (
        b"set-cookie",
        f"{COOKIE}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}".encode(),
    )
