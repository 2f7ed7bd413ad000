"""Inference: a request to a model, from the bytes of its body to those of the answer, and how it is counted."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import UUID

from driftline.agents.emit import ids
from driftline.agents.serving import v2
from driftline.agents.serving.bounds import ON_LOOP_BYTES
from driftline.agents.serving.call import Request
from driftline.agents.serving.errors import BAD_GATEWAY, FAILED, AnswerError
from driftline.agents.serving.http import (
    BINARY,
    ENCODING,
    JSON,
    LENGTH,
    NO_HEADERS,
    Bodies,
    Gone,
    answered,
    chosen,
    must_be_plain,
    send,
    told,
    whole_number,
)
from driftline.agents.serving.wire import SEEN

if TYPE_CHECKING:
    from driftline.agents.serving.answering import Answerer
    from driftline.agents.serving.http import Headers, Receive, Scope, Send
    from driftline.agents.serving.lease import Deployment
    from driftline.agents.serving.metrics import ServingMetrics
    from driftline.agents.serving.v2 import Ask

logger = logging.getLogger(__name__)

KEY_HEADER: Final = b"driftline-key"
"""Names the caller whom a canary keeps, over the parameter `driftline_key`; without either the request's id does."""
WANTED: Final = frozenset((LENGTH, ENCODING, KEY_HEADER, v2.LENGTH_HEADER))
FEW_BYTES: Final = 1 << 20
"""Requests above it are read `READS` at a time; the others of them wait for their turn, and smaller ones do not."""
READS: Final = 2
"""Texts in JSON take many times their bytes while they are read."""
GONE: Final = 499
"""How requests are counted whose caller left before the answer."""
_OK: Final = 200


class Inference:
    """Answers requests to models.

    Args:
        answerer: asks versions.
        metrics: counts requests.
        bodies: bounds of requests.
    """

    def __init__(self, answerer: Answerer, metrics: ServingMetrics, bodies: Bodies) -> None:
        self._answerer, self._metrics, self._bodies = answerer, metrics, bodies
        self._ids: deque[bytes] = deque()
        self._reads = asyncio.Semaphore(READS)

    async def answer(
        self, deployment: Deployment, version: str | None, scope: Scope, receive: Receive, send_to: Send
    ) -> None:
        """Answer as ASGI has it; raises AnswerError with what else there is to say."""
        began_s = time.perf_counter()
        code = FAILED
        held = 0
        try:
            headers = chosen(scope["headers"], WANTED)
            json_bytes = _json_bytes(headers)
            body = await self._bodies.read(whole_number(headers, LENGTH), receive)
            held = len(body)
            ask: Ask | None = scope.get(SEEN)
            if ask is None:
                ask = await self._read(body, json_bytes)
            request = self._request(ask, headers, version, held)
            loaded, outputs = await self._answerer.answer(deployment, request)
            whole = (deployment.name, loaded.version, request.identity, ask, outputs)
            large = any(array.nbytes > ON_LOOP_BYTES for array in outputs.values())
            loaded.is_large = loaded.is_large or large
            try:
                answer, size = await asyncio.to_thread(v2.written, *whole) if large else v2.written(*whole)
            except AnswerError as error:
                if error.status == FAILED and not loaded.is_verified:  # what is behind the agent failed
                    raise AnswerError(
                        BAD_GATEWAY, f"version {loaded.version} failed: {error.sentence}"
                    ) from error
                raise
            code = _OK
            await send(send_to, _OK, answer, *_kind(size))
        except AnswerError as error:
            code = error.status
            raise
        except Gone:
            code = GONE
            raise
        finally:
            self._bodies.release(held)
            self._count(deployment, code, began_s)

    def at_once(self, deployment: Deployment, version: str | None, headers: Headers, body: bytes) -> object:
        """Answer without waiting, when the model is quick: the whole answer in bytes.

        Returns:
            Anything else means that it must be asked as ASGI has it: the `Ask`, when it was read, else None.
        """
        loaded = self._answerer.at_once(deployment)
        if loaded is None or not self._bodies.has_room(len(body)):
            return None
        began_s = time.perf_counter()
        try:
            few = chosen(headers, WANTED)
            ask = v2.read(body, _json_bytes(few), flat=loaded.is_flat)
            request = self._request(ask, few, version, len(body))
            outputs = self._answerer.answer_at_once(deployment, loaded, request)
            if outputs is None:
                return ask
            answer, size = v2.written(deployment.name, loaded.version, request.identity, ask, outputs)
            self._count(deployment, _OK, began_s)
            return answered(_OK, answer, *_kind(size))
        except AnswerError as error:
            failure = error
        except Exception:
            logger.exception("a request to %s failed", deployment.name)
            failure = AnswerError(FAILED, "the agent failed; its log says more")
        self._count(deployment, failure.status, began_s)
        return answered(*told(failure))

    async def _read(self, body: bytes, json_bytes: int | None) -> Ask:
        """Read a request: a small one here, a large one in a thread, and of very large ones a few at a time."""
        read = partial(v2.read, body, json_bytes, most_rows=self._answerer.most_rows)
        if len(body) <= ON_LOOP_BYTES:
            return read()
        if len(body) <= FEW_BYTES:
            return await asyncio.to_thread(read)
        async with self._reads:
            return await asyncio.to_thread(read)

    def _count(self, deployment: Deployment, code: int, began_s: float) -> None:
        self._metrics.requests.inc((deployment.name, str(code)))
        self._metrics.seconds.observe((deployment.name,), time.perf_counter() - began_s)

    def _request(
        self, ask: Ask, headers: dict[bytes, bytes], version: str | None, size_bytes: int
    ) -> Request:
        """A request with its id: what the caller gave, or a UUIDv7 that is made here."""
        if ask.id:
            identity, own = ask.id, _uuid(ask.id)
        else:
            own = ids.taken(self._ids, time.time)
            digits = own.hex()
            identity = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
        key = headers.get(KEY_HEADER)
        caller = key[: v2.MAX_ID_CHARS].decode("latin-1") if key else ask.key or identity
        return Request(ask, identity, own, caller, version, size_bytes)


def _json_bytes(headers: dict[bytes, bytes]) -> int | None:
    """How many bytes of the body are JSON; raises AnswerError for a body that is compressed."""
    must_be_plain(headers)
    return whole_number(headers, v2.LENGTH_HEADER)


def _kind(size: int | None) -> tuple[bytes, Headers]:
    """The content type, and further headers, of an answer of which so many bytes are JSON."""
    return (JSON, NO_HEADERS) if size is None else (BINARY, [(v2.LENGTH_HEADER, b"%d" % size)])


def _uuid(text: str) -> bytes | None:
    """The bytes of an id that is the text of a UUID; None for any other, which is hashed."""
    if len(text) != 36:  # noqa: PLR2004 - as RFC 9562 writes them
        return None
    try:
        return UUID(text).bytes
    except ValueError:
        return None
