"""The application: what each address of the board answers (ASGI).

| address | answers |
|---|---|
| GET /NAME | the page of a dashboard |
| GET /static/FILE | the page's own files |
| GET /api/boards | the list of dashboards |
| POST /api/choices/NAME | what can be picked, and what is |
| POST /api/panels/NAME/PANEL | a panel's figures |
| POST /api/annotations/NAME | changes and alerts over time |
| GET, POST /login; POST /logout | the token for a cookie, and back |
| GET /healthz | that the board lives |
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.deploy.board.annotations import ANNOTATIONS
from driftline.deploy.board.web import http
from driftline.deploy.board.web.asked import BODY_BYTES, read, values
from driftline.deploy.board.web.choices import choices
from driftline.deploy.board.web.errors import NoFiguresError, Trouble
from driftline.deploy.board.web.files import File, Files
from driftline.deploy.board.web.listing import boards, is_annotated, listing, panels
from driftline.deploy.board.web.login import Login

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from driftline.deploy.board.web.guard import Guard
    from driftline.deploy.board.web.http import Receive, Scope, Send
    from driftline.deploy.board.web.source import Source

logger = logging.getLogger(__name__)

_FIRST: Final = "/fleet"
_STATIC: Final = "/static/"
# What the login page is made of.
_OPEN: Final = frozenset(("board.css", "theme.js", "icon.svg"))


class App:
    """The board.

    Args:
        source: answers questions.
        guard: says who may ask.
        runbooks: where the pages of docs/runbooks/ are served; "" where nowhere.
    """

    def __init__(self, source: Source, guard: Guard, runbooks: str) -> None:
        self._source, self._guard = source, guard
        self._files = Files()
        self._listing = File.of(http.JSON, listing(needs_token=guard.needs_token, runbooks=runbooks))
        self._login = Login(guard, self._files.page("login.html"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = http.headers_of(scope)
        try:
            await self._answer(scope["method"], scope["path"], headers, scope, receive, send)
        except NoFiguresError as error:
            if error.trouble is Trouble.LOGIN and "text/html" in headers.get("accept", ""):
                await http.redirect(send, self._login.place(scope))
            else:
                await http.send_trouble(send, error)
        except http.GoneError:
            pass
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            broken = NoFiguresError(
                Trouble.PANEL, "the board failed: see its log", status=HTTPStatus.INTERNAL_SERVER_ERROR
            )
            await http.send_trouble(send, broken)

    async def _answer(
        self, method: str, path: str, headers: dict[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        if path == "/healthz":
            return await http.answer(send, HTTPStatus.OK, http.JSON, b'{"ok":true}')
        self._guard.check_name(headers)
        if path != "/login" and not self._is_open(path):
            self._guard.check_token(headers)
        if method in ("GET", "HEAD"):
            return await self._page(path, headers, scope, send)
        if method != "POST":
            raise NoFiguresError(
                Trouble.ASKED,
                f"the board does not know the method {method[:20]!r}: use GET or POST",
                status=HTTPStatus.METHOD_NOT_ALLOWED,
            )
        self._guard.check_origin(headers)
        if path in ("/login", "/logout"):
            return await self._login.post(path, scope, receive, send)
        if headers.get("content-type", "").partition(";")[0] != "application/json":
            raise NoFiguresError(
                Trouble.ASKED,
                "questions are JSON: send them as application/json",
                status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            )
        body = await http.body_of(receive, BODY_BYTES)
        figures = await _unless_gone(self._figures(path, body), receive)
        return await http.answer(send, HTTPStatus.OK, http.JSON, figures)

    async def _page(self, path: str, headers: dict[str, str], scope: Scope, send: Send) -> None:
        if path == "/":
            query = scope["query_string"].decode("latin-1")
            await http.redirect(send, _FIRST + (f"?{query}" if query else ""))
        elif path == "/login":
            await self._login.show(scope, send)
        elif path == "/api/boards":
            await http.send_file(send, headers, self._listing)
        elif path.removeprefix("/") in boards():
            await http.send_file(send, headers, self._files.page("index.html"))
        elif path.startswith(_STATIC) and (found := self._files.find(path.removeprefix(_STATIC))):
            await http.send_file(send, headers, found[0], stays=found[1])
        else:
            raise _unknown(path)

    def _is_open(self, path: str) -> bool:
        return path.startswith(_STATIC) and self._files.name(path.removeprefix(_STATIC)) in _OPEN

    async def _figures(self, path: str, body: bytes) -> bytes:
        match path.split("/")[1:]:
            case ["api", "choices", name] if (board := boards().get(name)) is not None:
                return msgspec.json.encode(await choices(self._source, board, read(body)))
            case ["api", "panels", name, panel_name] if (
                panel := panels().get((name, panel_name))
            ) is not None:
                return await self._source.answer(panel.sql, values(read(body), panel.parameters))
            case ["api", "annotations", name] if (board := boards().get(name)) is not None and is_annotated(
                board
            ):
                return await self._annotations(body)
        raise _unknown(path)

    async def _annotations(self, body: bytes) -> bytes:
        asked = read(body)
        found = {}
        for annotation in ANNOTATIONS:
            found[annotation.name] = await self._source.rows(
                annotation.sql, values(asked, annotation.parameters)
            )
        return msgspec.json.encode(found)


def _unknown(path: str) -> NoFiguresError:
    return NoFiguresError(
        Trouble.UNKNOWN,
        f"nothing is called {path[:200]!r} here: the dashboards are {', '.join('/' + name for name in boards())}",
    )


async def _unless_gone(work: Awaitable[bytes], receive: Receive) -> bytes:
    """Do the work, and give it up when the browser leaves.

    Raises:
        GoneError: it left.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise http.GoneError
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
