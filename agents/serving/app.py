"""The agent over HTTP: the routes of the Open Inference Protocol v2, of the doors and of the metrics, as raw ASGI."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote
from uuid import UUID

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from driftline.agents.emit import ids
from driftline.agents.serving import v2
from driftline.agents.serving.answering import Answerer, Request, champion_of
from driftline.agents.serving.errors import (
    FAILED,
    NOT_ALLOWED,
    NOT_FOUND,
    UNAVAILABLE,
    UNSUPPORTED,
    AnswerError,
)
from driftline.agents.serving.http import BINARY, LENGTH, Bodies, Gone, chosen, send, send_error, whole_number

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from driftline.agents.serving.http import Receive, Scope, Send
    from driftline.agents.serving.lease import Deployment
    from driftline.agents.serving.metrics import ServingMetrics
    from driftline.agents.serving.v2 import Ask

    Door = Callable[[Scope, bytes], Awaitable[tuple[int, bytes]]]

logger = logging.getLogger(__name__)

KEY_HEADER: Final = b"driftline-key"
"""Names the caller whom a canary keeps, over the parameter `driftline_key`; without either the request's id does."""
ENCODING: Final = b"content-encoding"
WANTED: Final = frozenset((LENGTH, ENCODING, KEY_HEADER, v2.LENGTH_HEADER))
ON_LOOP_BYTES: Final = 64 * 1024
"""Requests and answers up to here are read and written by the event loop, larger ones by a thread."""
_MODELS: Final = "/v2/models/"
_OK: Final = 200
GONE: Final = 499
"""How requests are counted whose caller left before the answer."""


class App:
    """An ASGI application.

    Args:
        deployments: by name; whoever swaps changes it.
        answerer: asks versions.
        metrics, registry: what is told at `/metrics`.
        bodies: bounds of requests.
        doors: path -> what takes what is posted there.
        unready: why the agent is not ready, or None.
    """

    def __init__(
        self,
        deployments: Mapping[str, Deployment],
        answerer: Answerer,
        metrics: ServingMetrics,
        registry: CollectorRegistry,
        bodies: Bodies,
        *,
        doors: Mapping[str, Door] | None = None,
        unready: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.deployments, self._answerer, self._metrics, self._registry = (
            deployments,
            answerer,
            metrics,
            registry,
        )
        self._bodies, self._doors, self._unready = bodies, dict(doors or {}), unready
        self._ids: deque[bytes] = deque()
        self.in_flight = 0
        """Requests that are being read or answered."""
        metrics.in_flight.set_function(lambda: self.in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send_to: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await _lifespan(receive, send_to)
            return
        self.in_flight += 1
        try:
            route = _route(scope["path"])
            if route is None:
                await self._other(scope, receive, send_to)
            elif route[2] == "infer":
                await self._infer(route[0], route[1], scope, receive, send_to)
            else:
                await self._model(*route, scope, send_to)
        except Gone:
            return
        except AnswerError as error:
            await send_error(send_to, error)
        except Exception:
            logger.exception("a request to %s failed", scope["path"][:200])
            await send_error(send_to, AnswerError(FAILED, "the agent failed; its log says more"))
        finally:
            self.in_flight -= 1

    async def _other(self, scope: Scope, receive: Receive, send_to: Send) -> None:
        path, method = scope["path"], scope["method"]
        if path in self._doors:
            _only("POST", method)
            length = whole_number(chosen(scope["headers"], WANTED), LENGTH)
            body = await self._bodies.read(length, receive)
            try:
                await send(send_to, *await self._doors[path](scope, body))
            finally:
                self._bodies.release(len(body))
        elif path == "/metrics":
            _only("GET", method)
            await send(send_to, _OK, generate_latest(self._registry), CONTENT_TYPE_LATEST.encode())
        else:
            _only("GET", method)
            await send(send_to, *self._about(path))

    def _about(self, path: str) -> tuple[int, bytes]:
        if path == "/v2/health/live":
            return _OK, b'{"live":true}'
        if path == "/v2/health/ready":
            why = self._unready()
            if why is not None:
                raise AnswerError(UNAVAILABLE, f"not ready: {why}", retry_after_s=5)
            return _OK, b'{"ready":true}'
        if path.rstrip("/") == "/v2":
            told = {"name": "driftline", "version": _own_version(), "extensions": ["binary_tensor_data"]}
            return _OK, msgspec.json.encode(told)
        raise AnswerError(NOT_FOUND, f"there is nothing at {path[:200]!r}; the protocol begins at /v2")

    async def _model(
        self, name: str, version_asked: str | None, verb: str, scope: Scope, send_to: Send
    ) -> None:
        """What is asked about a model."""
        _only("GET", scope["method"])
        loaded = champion_of(self._deployment(name), version_asked)
        if verb == "ready":
            why = self._unready()
            if why is not None:
                raise AnswerError(UNAVAILABLE, f"not ready: {why}", retry_after_s=5)
            await send(send_to, _OK, msgspec.json.encode({"name": name, "ready": True}))
        elif verb == "":
            manifest = loaded.manifest
            platform = manifest.format if loaded.is_verified else "upstream"
            sides = (manifest.inputs, manifest.outputs)
            await send(send_to, _OK, v2.described(name, [loaded.version], platform, sides))
        else:
            raise AnswerError(NOT_FOUND, f"a model has no {verb[:100]!r}; it has infer and ready")

    async def _infer(
        self, name: str, version_asked: str | None, scope: Scope, receive: Receive, send_to: Send
    ) -> None:
        """Answer with a model, and count that."""
        began_s = time.perf_counter()
        deployment = self._deployment(name)
        _only("POST", scope["method"])
        code = FAILED
        held = 0
        try:
            headers = chosen(scope["headers"], WANTED)
            _plain(headers)
            json_bytes = whole_number(headers, v2.LENGTH_HEADER)
            body = await self._bodies.read(whole_number(headers, LENGTH), receive)
            held = len(body)
            large = held > ON_LOOP_BYTES
            ask = await asyncio.to_thread(v2.read, body, json_bytes) if large else v2.read(body, json_bytes)
            request = self._request(ask, headers.get(KEY_HEADER, b""), version_asked, held)
            loaded, outputs = await self._answerer.answer(deployment, request)
            told = (name, loaded.version, request.identity, ask, outputs)
            large = any(array.nbytes > ON_LOOP_BYTES for array in outputs.values())
            answer, size = await asyncio.to_thread(v2.written, *told) if large else v2.written(*told)
            code = _OK
            if size is None:
                await send(send_to, _OK, answer)
            else:
                await send(send_to, _OK, answer, BINARY, [(v2.LENGTH_HEADER, b"%d" % size)])
        except AnswerError as error:
            code = error.status
            raise
        except Gone:
            code = GONE
            raise
        finally:
            self._bodies.release(held)
            self._metrics.requests.inc((name, str(code)))
            self._metrics.seconds.observe((name,), time.perf_counter() - began_s)

    def _deployment(self, name: str) -> Deployment:
        found = self.deployments.get(name)
        if found is None:
            raise AnswerError(NOT_FOUND, f"there is no deployment {name[:100]!r} here")
        return found

    def _request(self, ask: Ask, key: bytes, version_asked: str | None, size_bytes: int) -> Request:
        """A request with its id: what the caller gave, or a UUIDv7 that is made here."""
        if ask.id:
            identity, own = ask.id, _uuid(ask.id)
        else:
            own = ids.taken(self._ids, time.time)
            digits = own.hex()
            identity = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
        caller = key[: v2.MAX_ID_CHARS].decode("latin-1") if key else ask.key or identity
        return Request(ask, identity, own, caller, version_asked, size_bytes)


@lru_cache(maxsize=1_024)
def _route(path: str) -> tuple[str, str | None, str] | None:
    """Deployment, version and verb of a path below /v2/models/; None for any other."""
    if not path.startswith(_MODELS):
        return None
    parts = [unquote(one) for one in path[len(_MODELS) :].split("/")]
    name, rest = parts[0], parts[1:]
    version_asked = None
    if len(rest) > 1 and rest[0] == "versions":
        version_asked, rest = rest[1], rest[2:]
    return name, version_asked, "/".join(rest)


def _plain(headers: dict[bytes, bytes]) -> None:
    if headers.get(ENCODING, b"identity") != b"identity":
        raise AnswerError(UNSUPPORTED, "compressed bodies are not read: send it as it is")


def _uuid(text: str) -> bytes | None:
    """The bytes of an id that is the text of a UUID; None for any other, which is hashed."""
    if len(text) != 36:  # noqa: PLR2004 - as RFC 9562 writes them
        return None
    try:
        return UUID(text).bytes
    except ValueError:
        return None


def _only(wanted: str, method: str) -> None:
    if method != wanted and (wanted, method) != ("GET", "HEAD"):
        raise AnswerError(NOT_ALLOWED, f"{method[:20]} is not done here; {wanted} is")


async def _lifespan(receive: Receive, send_to: Send) -> None:
    while True:
        message = await receive()
        await send_to({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _own_version() -> str:
    try:
        return version("driftline")
    except PackageNotFoundError:
        return "unknown"
