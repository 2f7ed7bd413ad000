"""Start: one process of the serving agent, from its settings to its last answer."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import uvloop

from driftline.agents.control.keys import Key, load, public_of
from driftline.agents.control.signing import key_id
from driftline.agents.lone import hold
from driftline.agents.private import make_private
from driftline.agents.serving.agent import Agent
from driftline.agents.serving.controlled import Controlled
from driftline.agents.serving.errors import ServingError
from driftline.agents.serving.follow import Follower
from driftline.agents.serving.loader import Cached, PackageLoader
from driftline.agents.serving.local import listen
from driftline.agents.serving.package.cache import Cache
from driftline.agents.serving.package.folder import read
from driftline.agents.serving.package.in_place import InPlace, Source
from driftline.agents.serving.package.layout import FILE
from driftline.agents.serving.package.signed import opened_manifest
from driftline.agents.serving.package.stores import store_of
from driftline.agents.serving.package.trial import Bounds
from driftline.agents.serving.package.verify import verify
from driftline.agents.serving.server import listening
from driftline.agents.serving.upstream import Behind, Upstream, UpstreamLoader
from driftline.agents.serving.watchdog import leave, limit_of, watched
from driftline.agents.serving.work import under_way
from driftline.schemas.control.envelope import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from driftline.schemas.control.command import ModelRef
    from driftline.schemas.settings import Settings

GONE_S: Final = 15.0
"""How long an agent that is started again waits for the one before it, which may still drain."""
_LOOK_S: Final = 0.1
_LOCK: Final = "lock"
STOP_S: Final = 10.0
"""How long what is said last may take to reach Kafka."""


@dataclass(frozen=True, slots=True)
class Single:
    """A package that is served alone: its folder, the deployment's name, and public keys that may have signed it."""

    folder: Path
    deployment: str
    signers: tuple[str, ...]


def run(settings: Settings, single: Single | None, number: int | None = None) -> int:
    """Serve until told to stop.

    Args:
        settings: all of them.
        single: a package that is served without an installation.
        number: of this process among those that share the port; None for one that has it alone.

    Raises:
        DriftlineError: it cannot be started.
    """
    instance = instance_of(settings, number or 0)
    if single is None and not settings.control.genesis:
        raise ServingError("no installation is set up: set DRIFTLINE_CONTROL_GENESIS, or give --package")
    if single is None and not settings.serve.key:
        raise ServingError("acks are signed: name the agent's key file with DRIFTLINE_SERVE_KEY")
    with kept_alone(private(Path(settings.serve.state_dir) / instance), GONE_S) as folder:
        if single is not None:
            hung = uvloop.run(_alone(settings, single, instance, folder, number))
        else:
            hung = uvloop.run(_controlled(settings, load(Path(settings.serve.key)), instance, folder, number))
        if hung or under_way():
            leave(0)
    return 0


async def _alone(settings: Settings, single: Single, instance: str, folder: Path, number: int | None) -> int:
    """Serve one package; says how many of its calls hang when it ends."""
    upstream = _upstream(settings)
    found: Cached | Behind
    if upstream is not None:
        manifest = read(single.folder, FILE, MAX_BYTES)
        signed = opened_manifest(manifest, keys_of(single.signers))
        found = Behind(signed.ref, signed.manifest, upstream)
    else:
        found = await asyncio.to_thread(_fetched, settings, single)
    agent = Agent(settings, instance, _nothing_else, folder)
    try:
        agent.swapper(single.deployment).adopt(await asyncio.to_thread(found.load))
        with watched(asyncio.get_running_loop(), limit_of(settings.serve.request_seconds)):
            await agent.run(_listener(agent, shared=number is not None), number=number or 0)
    finally:
        await agent.close()
        if upstream is not None:
            await upstream.close()
    return agent.answerer.hung


async def _controlled(settings: Settings, key: Key, instance: str, folder: Path, number: int | None) -> int:
    """Serve what signed states say; says how many calls hang when it ends."""
    packages = settings.packages
    upstream = _upstream(settings)
    loader: PackageLoader | UpstreamLoader

    def may_sign(ref: ModelRef) -> Mapping[str, bytes]:
        return controlled.package_keys(ref)

    if upstream is not None:
        loader = UpstreamLoader(upstream, store_of(packages), may_sign)
    else:
        loader = _loader(settings, store_of(packages), may_sign)
    agent = Agent(settings, instance, loader.fetch, folder)
    controlled = Controlled(agent, key, folder, lambda *said: follower.say(*said), _now_ms)  # noqa: PLW0108 - it is made below
    follower = Follower(settings.kafka, controlled, instance)
    listener = _listener(agent, shared=number is not None)
    local = await listen(controlled, folder)
    watching = asyncio.create_task(controlled.watch())
    controlled.resume()
    follower.start()
    try:
        with watched(asyncio.get_running_loop(), limit_of(settings.serve.request_seconds)):
            await agent.run(listener, number=number or 0)
    finally:
        watching.cancel()
        local.close()
        await controlled.close()
        await agent.close()
        await asyncio.to_thread(follower.stop, STOP_S)
        if upstream is not None:
            await upstream.close()
    return agent.answerer.hung


def _upstream(settings: Settings) -> Upstream | None:
    """The server that answers in place of packages; None without one."""
    serve = settings.serve
    return Upstream(serve.upstream, serve.request_seconds, serve.bodies_bytes) if serve.upstream else None


def _fetched(settings: Settings, single: Single) -> Cached:
    """A package in the private cache: what lies in its folder may be written to while it is tried and loaded."""
    keys = keys_of(single.signers)
    signed = verify(single.folder, keys)
    return _loader(settings, InPlace(single.folder, signed), lambda _ref: keys).fetch(signed.ref)


def _loader(
    settings: Settings, source: Source, keys: Callable[[ModelRef], Mapping[str, bytes]]
) -> PackageLoader:
    packages, serve = settings.packages, settings.serve
    return PackageLoader(
        Cache(Path(packages.cache_dir), max_bytes=packages.cache_bytes),
        source,
        keys,
        trusted=packages.trusted,
        bounds=Bounds(serve.trial_bytes, serve.trial_seconds),
    )


def _nothing_else(ref: ModelRef) -> Cached:
    raise ServingError(f"{ref.name} {ref.version} is not served: this agent serves one package alone")


def _listener(agent: Agent, *, shared: bool) -> socket.socket:
    """What an agent will listen on; it says so once it does."""
    serve = agent.settings.serve
    listener = listening(serve.host, serve.port, shared=shared)
    host, port = listener.getsockname()[:2]
    agent.server.listens = lambda: click.echo(f"serving on http://{host}:{port}")
    return listener


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def instance_of(settings: Settings, number: int) -> str:
    """The name of a process: the setting, or the host's, and its number."""
    name = settings.serve.instance or socket.gethostname().split(".")[0][:80] or "agent"
    return f"{name}-{number}"


def private(folder: Path) -> Path:
    """Make a folder that is of this user alone; raises ServingError for one that others can reach."""
    try:
        is_private = make_private(folder)
    except OSError as error:
        raise ServingError(f"the folder {folder} cannot be made: {error.strerror}") from error
    if not is_private:
        raise ServingError(f"the folder {folder} is not private: chmod 700 {folder}, as its owner")
    return folder


@contextmanager
def kept_alone(folder: Path, timeout_s: float) -> Iterator[Path]:
    """Let no other agent keep its state in a folder meanwhile: it would take over the socket that halts are given to.

    Args:
        folder: of the state.
        timeout_s: how long one that just ends is waited for, s.

    Raises:
        ServingError: another one does, or it cannot be locked.
    """
    end_s = time.monotonic() + timeout_s
    try:
        while (held := hold(folder / _LOCK)) is None:
            if time.monotonic() >= end_s:
                raise ServingError(
                    f"another agent keeps its state in {folder}: give this one another serve.instance or "
                    "serve.state_dir"
                )
            time.sleep(_LOOK_S)
    except OSError as error:
        raise ServingError(
            f"the state folder {folder} cannot be locked: {error.strerror}; give the agent another serve.state_dir"
        ) from error
    try:
        yield folder
    finally:
        os.close(held)


def keys_of(texts: tuple[str, ...]) -> dict[str, bytes]:
    """Public keys, by id, as people pass them on; raises ServingError for what is none."""
    try:
        return {key_id(public): public for public in map(public_of, texts)}
    except ValueError as error:
        raise ServingError(str(error)) from error
