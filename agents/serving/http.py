"""HTTP as ASGI gives it: bodies read within bounds of size and time, answers sent whole, errors as JSON."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec

from driftline.agents.serving.errors import (
    TIMED_OUT,
    TOO_LARGE,
    UNAVAILABLE,
    UNSUPPORTED,
    AnswerError,
    bad_request,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

Scope = dict[str, Any]
Headers = Sequence[tuple[bytes, bytes]]
NO_HEADERS: Final = ()
Message = "MutableMapping[str, Any]"
if TYPE_CHECKING:
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON: Final = b"application/json"
BINARY: Final = b"application/octet-stream"
LENGTH: Final = b"content-length"
ENCODING: Final = b"content-encoding"
LARGE_BYTES: Final = 64 * 1024
"""Of an answer: the request of a larger one counts as under way until the caller has taken nearly all of it."""


class Gone(Exception):  # noqa: N818 - nothing went wrong
    """The caller has left; nobody waits for an answer."""


class Bodies:
    """What bodies may take, each and all together.

    Args:
        each: bytes of one.
        together: bytes of all that are being read or answered.
        timeout_s: longest time until one is here, s.
    """

    def __init__(self, each: int, together: int, timeout_s: float) -> None:
        self._each, self._together, self._timeout_s = each, together, timeout_s
        self._reading: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()
        self.held = 0
        """Bytes of bodies in memory."""

    async def read(self, announced: int | None, receive: Receive) -> bytes:
        """Read a body; give it back with `release` when its request is answered.

        Args:
            announced: its length as the header says.
            receive: of ASGI.

        Raises:
            AnswerError: it is too large, too slow, or there is no room for it now.
            Gone: the caller has left.
        """
        if announced is not None and announced > self._each:
            raise self._too_large(announced)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in one
        self._reading[task] = time.monotonic()
        parts = bytearray()
        try:
            message = await receive()
            if not message.get("more_body") and message["type"] != "http.disconnect":
                body: bytes = message.get("body", b"")
                self._take(len(body))
                return body
            self._append(parts, message)
            while message.get("more_body"):
                message = await receive()
                self._append(parts, message)
            return bytes(parts)
        except asyncio.CancelledError:
            self.release(len(parts))
            if task not in self._late:
                raise
            task.uncancel()
            raise AnswerError(TIMED_OUT, f"the body did not come within {self._timeout_s:g} s") from None
        except BaseException:
            self.release(len(parts))
            raise
        finally:
            del self._reading[task]
            self._late.discard(task)

    def expire(self) -> None:
        """Give up the bodies that are too slow; to be called every now and then."""
        latest_s = time.monotonic() - self._timeout_s
        for task, since_s in self._reading.items():
            if since_s < latest_s and task not in self._late:
                self._late.add(task)
                task.cancel()

    def has_room(self, size: int) -> bool:
        """Whether a body of so many bytes would be taken."""
        return size <= self._each and self.held + size <= self._together

    def release(self, size: int) -> None:
        """Say that a body of so many bytes is needed no more."""
        self.held -= size

    def _append(self, parts: bytearray, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.disconnect":
            raise Gone
        piece = message.get("body", b"")
        if len(parts) + len(piece) > self._each:
            raise self._too_large(len(parts) + len(piece))
        self._take(len(piece))
        parts += piece

    def _take(self, size: int) -> None:
        if size > self._each:
            raise self._too_large(size)
        if self.held + size > self._together:
            raise AnswerError(
                UNAVAILABLE, f"the bodies under way take {self.held:,} bytes already", retry_after_s=1
            )
        self.held += size

    def _too_large(self, size: int) -> AnswerError:
        return AnswerError(TOO_LARGE, f"the body has {size:,} bytes at least; {self._each:,} are allowed")


def chosen(headers: Headers, wanted: frozenset[bytes]) -> dict[bytes, bytes]:
    """Give some of the headers by their names in small letters; of one that stands there twice the last."""
    return {name: value for name, value in headers if name in wanted}


def must_be_plain(headers: Mapping[bytes, bytes]) -> None:
    """Raise AnswerError for a body that is compressed."""
    if headers.get(ENCODING, b"identity").lower() != b"identity":
        raise AnswerError(UNSUPPORTED, "compressed bodies are not read: send it as it is")


def whole_number(headers: Mapping[bytes, bytes], wanted: bytes) -> int | None:
    """Give the number in a header; None without one; raises AnswerError for anything else."""
    text = headers.get(wanted)
    if text is None:
        return None
    if not (text.isdigit() and len(text) < 19):  # noqa: PLR2004 - of 64 bits
        raise bad_request(
            f"the header {wanted.decode()} is {text[:40].decode('latin-1')!r}, and is to be a number"
        )
    return int(text)


def answered(status: int, body: bytes, kind: bytes = JSON, more: Headers = NO_HEADERS) -> bytes:
    """Give a whole answer as it goes over the wire, on a connection that stays open."""
    lines = b"".join([b"%b: %b\r\n" % one for one in more]) if more else b""
    return b"%b%d\r\n%b\r\n%b" % (_head(status, kind), len(body), lines, body)


@lru_cache(maxsize=64)
def _head(status: int, kind: bytes) -> bytes:
    """The first lines of an answer, up to its length."""
    phrase = HTTPStatus(status).phrase.encode()
    return b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: " % (status, phrase, kind)


async def send(
    to: Send,
    status: int,
    body: bytes,
    kind: bytes = JSON,
    more: Headers = NO_HEADERS,
) -> None:
    """Send an answer; a reader that is slow holds up nobody else, but has what its request takes counted meanwhile."""
    headers = [(b"content-type", kind), (LENGTH, b"%d" % len(body)), *more]
    is_large = len(body) > LARGE_BYTES
    await to({"type": "http.response.start", "status": status, "headers": headers})
    await to({"type": "http.response.body", "body": body, "more_body": is_large})
    if is_large:  # waits until the answer is taken
        await to({"type": "http.response.body", "body": b""})


async def send_error(to: Send, error: AnswerError) -> None:
    """Send an error as v2 has it: `{"error": SENTENCE}`."""
    await send(to, *told(error))


def told(error: AnswerError) -> tuple[int, bytes, bytes, Headers]:
    """Give an error as `send` and `answered` take it."""
    more = () if error.retry_after_s is None else ((b"retry-after", b"%d" % error.retry_after_s),)
    return error.status, msgspec.json.encode({"error": error.sentence}), JSON, error.headers + more
