"""HTTP: requests read within bounds, answers with the headers that keep a page to itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec

from driftline.deploy.board.web.errors import NoFiguresError, Trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    from driftline.deploy.board.web.files import File

    Scope = dict[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

Header = tuple[bytes, bytes]
JSON: Final = b"application/json"
HTML: Final = b"text/html; charset=utf-8"
METHODS: Final = b"GET, HEAD, POST"
NO_STORE: Final[Header] = (b"cache-control", b"no-store")
_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    b" form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ALWAYS: Final[tuple[Header, ...]] = (
    (
        b"content-security-policy",
        _POLICY,
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


class GoneError(Exception):
    """The browser has left; nobody waits for an answer."""


def headers_of(scope: Scope) -> dict[str, str]:
    """Give the headers of a request by lower-case name."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def body_of(receive: Receive, most: int) -> bytes:
    """Read a body.

    Raises:
        NoFiguresError: it is larger than `most` bytes.
        GoneError: the browser left before it was whole.
    """
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise NoFiguresError(
                Trouble.ASKED,
                f"the request is larger than {most:,} bytes: pick fewer",
                status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


async def answer(
    send: Send, status: HTTPStatus, kind: bytes, body: bytes, headers: Iterable[Header] = (NO_STORE,)
) -> None:
    """Send a whole answer."""
    given = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *ALWAYS, *headers]
    await send({"type": "http.response.start", "status": int(status), "headers": given})
    await send({"type": "http.response.body", "body": body})


async def redirect(send: Send, place: str, headers: Iterable[Header] = ()) -> None:
    """Send a browser elsewhere, on this server."""
    await answer(send, HTTPStatus.SEE_OTHER, HTML, b"", ((b"location", place.encode()), NO_STORE, *headers))


async def send_file(send: Send, headers: dict[str, str], file: File, *, stays: bool = False) -> None:
    """Send a file, packed where the browser takes that, or the word that it has it already.

    Args:
        send: of ASGI.
        headers: of the request.
        file: what to send.
        stays: it is the same for good at this address, and need not be asked for again.
    """
    kept = b"private, max-age=31536000, immutable" if stays else b"no-cache"
    about = [(b"etag", file.tag), (b"cache-control", kept), (b"vary", b"accept-encoding")]
    if file.tag.decode() in headers.get("if-none-match", ""):
        await answer(send, HTTPStatus.NOT_MODIFIED, file.kind, b"", about)
    elif "gzip" in headers.get("accept-encoding", ""):
        await answer(send, HTTPStatus.OK, file.kind, file.packed, [*about, (b"content-encoding", b"gzip")])
    else:
        await answer(send, HTTPStatus.OK, file.kind, file.body, about)


async def send_trouble(send: Send, error: NoFiguresError) -> None:
    """Send a sentence in place of figures."""
    said = {"error": {"trouble": error.trouble.value, "sentence": error.sentence, "again_s": error.again_s}}
    again = () if error.again_s is None else ((b"retry-after", str(error.again_s).encode()),)
    allow = ((b"allow", METHODS),) if error.status is HTTPStatus.METHOD_NOT_ALLOWED else ()
    await answer(send, error.status, JSON, msgspec.json.encode(said), (NO_STORE, *again, *allow))
