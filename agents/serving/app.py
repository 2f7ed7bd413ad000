"""The agent over HTTP: the routes of the Open Inference Protocol v2, of the doors and of the metrics, as raw ASGI."""

from __future__ import annotations

import logging
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from driftline.agents.serving import v2
from driftline.agents.serving.answering import Answerer, champion_of
from driftline.agents.serving.errors import (
    FAILED,
    NOT_ALLOWED,
    NOT_FOUND,
    UNAVAILABLE,
    AnswerError,
)
from driftline.agents.serving.http import (
    ENCODING,
    LENGTH,
    Bodies,
    Gone,
    chosen,
    must_be_plain,
    send,
    send_error,
    whole_number,
)
from driftline.agents.serving.inference import Inference

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from driftline.agents.serving.http import Headers, Receive, Scope, Send
    from driftline.agents.serving.lease import Deployment
    from driftline.agents.serving.metrics import ServingMetrics
    from driftline.agents.serving.package.tensors import Tensor

    Door = Callable[[Scope, bytes], Awaitable[tuple[int, bytes]]]

logger = logging.getLogger(__name__)

_MODELS: Final = "/v2/models/"
_ABOUT: Final = frozenset(("/v2", "/v2/", "/v2/health/live", "/v2/health/ready"))
_OK: Final = 200
_WANTED: Final = frozenset((LENGTH, ENCODING))
_KEPT_CHARS: Final = 512
"""Of a path whose route is remembered: one of a deployment has 200 at most, those of strangers up to 64 Ki."""


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
        self.deployments, self._registry = deployments, registry
        self._inference = Inference(answerer, metrics, bodies)
        self._bodies, self._doors, self._unready = bodies, dict(doors or {}), unready
        self.unheard: Callable[[], str | None] = lambda: None
        """Why a deployment that is not here may be later, or None."""
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
            route = _known(scope["path"])
            if route is None:
                await self._other(scope, receive, send_to)
            elif route[2] == "infer":
                deployment = self._deployment(route[0])
                _only("POST", scope["method"])
                await self._inference.answer(deployment, route[1], scope, receive, send_to)
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

    def at_once(self, path: bytes, headers: Headers, body: bytes) -> object:
        """Answer a POST as `Inference.at_once` does; None for what is asked of no model here."""
        route = _plain_route(path) if len(path) <= _KEPT_CHARS else None
        deployment = None if route is None else self.deployments.get(route[0])
        if route is None or deployment is None:
            return None
        return self._inference.at_once(deployment, route[1], headers, body)

    async def _other(self, scope: Scope, receive: Receive, send_to: Send) -> None:
        path, method = scope["path"], scope["method"]
        if path in self._doors:
            _only("POST", method)
            headers = chosen(scope["headers"], _WANTED)
            must_be_plain(headers)
            body = await self._bodies.read(whole_number(headers, LENGTH), receive)
            try:
                await send(send_to, *await self._doors[path](scope, body))
            finally:
                self._bodies.release(len(body))
        elif path == "/metrics":
            _only("GET", method)
            await send(send_to, _OK, generate_latest(self._registry), CONTENT_TYPE_LATEST.encode())
        else:
            await send(send_to, _OK, self._about(path, method))

    def _about(self, path: str, method: str) -> bytes:
        """What is told of the agent itself; a wrong path is told of before a wrong method, which it would allow."""
        if path not in _ABOUT:
            raise AnswerError(NOT_FOUND, f"there is nothing at {path[:200]!r}; the protocol begins at /v2")
        _only("GET", method)
        if path == "/v2/health/live":
            return b'{"live":true}'
        if path == "/v2/health/ready":
            self._must_be_ready()
            return b'{"ready":true}'
        return msgspec.json.encode({
            "name": "driftline",
            "version": _own_version(),
            "extensions": ["binary_tensor_data"],
        })  # fmt: skip

    async def _model(
        self, name: str, version_asked: str | None, verb: str, scope: Scope, send_to: Send
    ) -> None:
        """What is asked about a model."""
        deployment = self._deployment(name)
        if verb not in ("", "ready"):
            raise AnswerError(NOT_FOUND, f"a model has no {verb[:100]!r}; it has infer and ready")
        _only("GET", scope["method"])
        loaded = champion_of(deployment, version_asked)
        if verb == "ready":
            self._must_be_ready()
            await send(send_to, _OK, msgspec.json.encode({"name": name, "ready": True}))
        else:
            manifest = loaded.manifest
            platform = manifest.format if loaded.is_verified else "upstream"
            sides = (manifest.inputs, manifest.outputs)
            await send(send_to, _OK, _described(name, [loaded.version], platform, sides))

    def _must_be_ready(self) -> None:
        why = self._unready()
        if why is not None:
            raise AnswerError(UNAVAILABLE, f"not ready: {why}", retry_after_s=5)

    def _deployment(self, name: str) -> Deployment:
        found = self.deployments.get(name)
        if found is not None:
            return found
        why = self.unheard()
        if why is not None:
            raise AnswerError(UNAVAILABLE, f"there is no deployment {name[:100]!r} here yet: {why}", 5)
        raise AnswerError(NOT_FOUND, f"there is no deployment {name[:100]!r} here")


def _known(path: str) -> tuple[str, str | None, str] | None:
    """The route of a path; remembered, if it is a short one."""
    return _route(path) if len(path) <= _KEPT_CHARS else _route.__wrapped__(path)


def _described(name: str, versions: Sequence[str], platform: str, sides: Sequence[Sequence[Tensor]]) -> bytes:
    """Write the metadata of a model: `sides` are its inputs and its outputs."""
    inputs, outputs = (
        [{"name": one.name, "datatype": one.datatype, "shape": one.shape} for one in side] for side in sides
    )
    return v2.ENCODER.encode(
        {"name": name, "versions": versions, "platform": platform, "inputs": inputs, "outputs": outputs}
    )


@lru_cache(maxsize=1_024)
def _route(path: str) -> tuple[str, str | None, str] | None:
    """Deployment, version and verb of a path below /v2/models/, which is unescaped already; None for any other."""
    if not path.startswith(_MODELS):
        return None
    parts = path[len(_MODELS) :].split("/")
    name, rest = parts[0], parts[1:]
    version_asked = None
    if len(rest) > 1 and rest[0] == "versions":
        version_asked, rest = rest[1], rest[2:]
    return name, version_asked, "/".join(rest)


@lru_cache(maxsize=1_024)
def _plain_route(path: bytes) -> tuple[str, str | None] | None:
    """Deployment and version of a path as it came, where a model is asked; None for any other, or an escaped one."""
    if b"%" in path or b"?" in path or not path.isascii():
        return None
    route = _route(path.decode("ascii"))
    return None if route is None or route[2] != "infer" else route[:2]


def _only(wanted: str, method: str) -> None:
    allowed = ("GET", "HEAD") if wanted == "GET" else (wanted,)
    if method not in allowed:
        raise AnswerError(
            NOT_ALLOWED,
            f"{method[:20]} is not done here; {wanted} is",
            headers=((b"allow", ", ".join(allowed).encode()),),
        )


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
