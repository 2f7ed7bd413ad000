"""Upstream: a v2 server in any language in the place of a package that is loaded here.

Its address comes from the agent's settings and from nowhere else. What it runs is not known here, so that such a
version is told as `artefact unverified`; its tensors are those of the manifest, and its answers are held against it.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import aiohttp
import msgspec

from driftline.agents.serving import v2_client
from driftline.agents.serving.errors import AnswerError, SwapError
from driftline.agents.serving.package.errors import InputError, said
from driftline.agents.serving.package.signed import opened_manifest
from driftline.agents.serving.slots import Loaded
from driftline.schemas.ports import why_none

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from driftline.agents.serving.package.manifest import Manifest
    from driftline.agents.serving.package.store import Store
    from driftline.agents.serving.package.tensors import Tensor
    from driftline.schemas.control.command import ModelRef

_OK: Final = 200
_HEADER: Final = "Inference-Header-Content-Length"
_LENGTH: Final = re.compile("[0-9]{1,18}")
_PIECE_BYTES: Final = 1 << 16
_SHOWN: Final = 200
CONNECTIONS: Final = 256


class Upstream:
    """A server, asked over kept connections; belongs to one event loop, and is asked from threads.

    Args:
        url: where its protocol begins, without `/v2`.
        timeout_s: longest time of a call, s.
        most_bytes: of an answer.
    """

    def __init__(self, url: str, timeout_s: float, most_bytes: int) -> None:
        self._url, self._most_bytes = url.rstrip("/"), most_bytes
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._session = self._opened()
        self.place: Final = re.sub("//[^/]*@", "//", self._url)
        """Its address, without the password that may stand in it."""

    def post(self, model: str, version: str, body: bytes, json_bytes: int) -> tuple[bytes, int | None]:
        """Ask a model; blocks a thread that is not the loop's. Gives the body, and how much of it is JSON."""
        asked = self._post(self._path(model, version) + "/infer", body, json_bytes)
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result(self._timeout_s + 1)

    def is_ready(self, model: str, version: str) -> bool:
        """Whether a version is there; blocks as `post`."""
        asked = self._status(self._path(model, version) + "/ready")
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result(self._timeout_s + 1) == _OK

    def hang_up(self) -> None:
        """Close its connections and open others: what was asked over one of them may get the answer to another."""
        asyncio.run_coroutine_threadsafe(self._reopened(), self._loop)

    async def close(self) -> None:
        """Close its connections."""
        await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            trust_env=False,
        )

    async def _reopened(self) -> None:
        before, self._session = self._session, self._opened()
        await before.close()

    def _path(self, model: str, version: str) -> str:
        return f"{self._url}/v2/models/{quote(model, safe='')}/versions/{quote(version, safe='')}"

    async def _post(self, url: str, body: bytes, json_bytes: int) -> tuple[bytes, int | None]:
        headers = {_HEADER: str(json_bytes), "Content-Type": "application/octet-stream"}
        try:
            try:
                status, data, length = await self._asked(self._session, url, body, headers)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if isinstance(error, aiohttp.ClientConnectorError):
                    raise
                # Servers end kept connections when they like: one that was ended before an answer says nothing of it.
                async with self._opened() as anew:
                    status, data, length = await self._asked(anew, url, body, headers)
        except TimeoutError:  # some of them are errors of aiohttp too
            raise
        except aiohttp.ClientError as error:
            raise InputError(f"{self.place} gives no whole answer: {said(error)}") from error
        if status != _OK:
            raise InputError(f"{self.place} answers {status}: {_error(data)}")
        return data, int(length) if _LENGTH.fullmatch(length) else None

    async def _asked(
        self, session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes, str]:
        """Ask; give the status, the body and how much of it is JSON, as the header says it."""
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            return answer.status, await self._read(answer), answer.headers.get(_HEADER, "")

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        """Read a body within its bound."""
        data, length = bytearray(), answer.content_length or 0
        while length <= self._most_bytes and (piece := await answer.content.read(_PIECE_BYTES)):
            data += piece
            length = max(length, len(data))
        if length > self._most_bytes:
            raise InputError(f"{self.place} answers with more than {self._most_bytes:,} bytes")
        return bytes(data)

    async def _status(self, url: str) -> int:
        async with self._session.get(url, allow_redirects=False) as answer:
            return answer.status


class UpstreamModel:
    """A model behind a server; its calls go out with binary tensors."""

    def __init__(self, upstream: Upstream, manifest: Manifest) -> None:
        self._upstream, self._name, self._version = upstream, manifest.name, manifest.version
        self.inputs: tuple[Tensor, ...] = manifest.inputs
        self.outputs: tuple[Tensor, ...] = manifest.outputs

    def predict(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Answer rows; raises what the connection raises, and InputError for an answer that is none."""
        wanted = [{"name": one.name, "parameters": {"binary_data": True}} for one in self.outputs]
        identity, upstream = uuid.uuid4().hex, self._upstream
        body, size = v2_client.asking(inputs, {"id": identity, "outputs": wanted})
        answer, json_bytes = upstream.post(self._name, self._version, body, size)
        try:
            found = v2_client.answer_of(answer, json_bytes)
        except AnswerError as error:
            raise InputError(f"{upstream.place} answers what cannot be read: {error.sentence}") from error
        if found.identity not in ("", identity):
            upstream.hang_up()
            raise InputError(f"{upstream.place} answers {found.identity[:40]!r}, which was not asked")
        if found.version not in ("", self._version):
            raise InputError(f"{upstream.place} answers with its version {found.version[:100]!r}")
        return found.outputs

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class Behind:
    """A version behind a server, by its manifest."""

    ref: ModelRef
    manifest: Manifest
    upstream: Upstream
    memory_bytes: int = 0

    def load(self) -> Loaded:
        """Ask whether it is there.

        Raises:
            SwapError: it is not.
        """
        try:
            is_there = self.upstream.is_ready(self.manifest.name, self.manifest.version)
        except UnicodeError as error:
            sentence = (
                f"{self.upstream.place} does not answer: {why_none(error)}; name another with serve.upstream"
            )
            raise SwapError(sentence) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SwapError(f"{self.upstream.place} does not answer: {said(error)}") from error
        if not is_there:
            raise SwapError(
                f"{self.upstream.place} has no version {self.manifest.version} of {self.manifest.name}"
            )
        return Loaded(self.ref, self.manifest, UpstreamModel(self.upstream, self.manifest), is_verified=False)

    def release(self) -> None:
        """Nothing is held."""


class UpstreamLoader:
    """Finds versions behind a server: the manifest alone is fetched and verified.

    Args:
        upstream: the server.
        store: where manifests are.
        keys: gives the raw public keys, by id, of those who may have signed a package.
    """

    def __init__(
        self, upstream: Upstream, store: Store, keys: Callable[[ModelRef], Mapping[str, bytes]]
    ) -> None:
        self._upstream, self._store, self._keys = upstream, store, keys

    def fetch(self, ref: ModelRef) -> Behind:
        """Fetch a manifest; raises PackageError, or SwapError when it is another one."""
        signed = opened_manifest(self._store.manifest(ref.manifest), self._keys(ref))
        if signed.ref != ref:
            raise SwapError(
                f"{ref.name} {ref.version} was asked for, and the store has {signed.manifest.title}"
            )
        return Behind(ref, signed.manifest, self._upstream)


def _error(data: bytes) -> str:
    """The sentence of an error as v2 has it, or how another body begins."""
    try:
        told = str(msgspec.json.decode(data, type=dict).get("error", ""))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        told = data[:_SHOWN].decode(errors="replace")
    return told or "no reason"
