"""Agent: one process that serves: its deployments, its application, its Emitters, from its start to its stop."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

from driftline.agents.emit import Emitter, EmitterError
from driftline.agents.emit.owner import has_leftovers
from driftline.agents.serving.allocator import share_heap
from driftline.agents.serving.answering import Answerer
from driftline.agents.serving.app import App
from driftline.agents.serving.bounds import Bounds
from driftline.agents.serving.doors import Doors
from driftline.agents.serving.errors import ServingError
from driftline.agents.serving.http import Bodies
from driftline.agents.serving.means import Means
from driftline.agents.serving.metrics import ServingMetrics
from driftline.agents.serving.recording import LINGER_S, Recorder
from driftline.agents.serving.server import Server
from driftline.agents.serving.swap import Swapper
from driftline.agents.serving.tokens import read_tokens
from driftline.agents.serving.work import Turns, forever
from driftline.schemas.ports import metrics_on

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from driftline.agents.serving.app import Door
    from driftline.agents.serving.fetched import Fetched
    from driftline.agents.serving.lease import Deployment
    from driftline.agents.serving.package.manifest import Manifest
    from driftline.agents.serving.recording import Key, Sink
    from driftline.schemas.control.command import ModelRef
    from driftline.schemas.settings import Settings

COLLECT: Final = (20_000, 20, 50)
"""Objects after which the youngest are looked at, and how often the older ones are."""
SPOOL: Final = "spool"
SWITCH_S: Final = 0.0005
"""After which a thread that loads or packs lets the event loop go on, s; by itself Python takes ten times that."""
CLOSE_S: Final = 10.0
"""How long Emitters may take to deliver when the agent stops; what they cannot deliver lies in the spool."""


class Agent:
    """Serves deployments.

    Args:
        settings: of Kafka and of the agent.
        instance: name of this process.
        fetch: gets packages.
        folder: where this process keeps its spool.
        make_sink: gives Emitters; by default real ones.
    """

    def __init__(
        self,
        settings: Settings,
        instance: str,
        fetch: Callable[[ModelRef], Fetched],
        folder: Path,
        make_sink: Callable[[Key, Manifest], Sink] | None = None,
    ) -> None:
        serve = settings.serve
        self.settings, self.instance = settings, instance
        self.doors: Doors | None = None
        self._fetch, self._folder = fetch, folder
        self.registry: Final = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.metrics: Final = ServingMetrics(self.registry)
        self.swappers: Final[dict[str, Swapper]] = {}
        self.recorder: Final = Recorder(
            make_sink or self._emitter, lambda name, rows: self.metrics.unrecorded.labels(name).inc(rows)
        )
        bounds = Bounds(
            request_s=serve.request_seconds,
            canary_s=serve.canary_seconds,
            threads=serve.threads,
            rows=serve.request_rows,
            waiting=serve.waiting,
            shadow_waiting=serve.shadow_waiting,
            shadow_bytes=serve.bodies_bytes,
            canary_failures=serve.canary_failures,
            inline_s=serve.inline_seconds,
            future_ms=settings.worker.future_ms,
        )
        self.answerer: Final = Answerer(self.recorder, self.metrics, bounds, _now_ms)
        self.deployments: Final[dict[str, Deployment]] = {}
        self._turns: Final = Turns()
        self.bodies: Final = Bodies(serve.body_bytes, serve.bodies_bytes, serve.body_seconds)
        self.app: Final = App(
            self.deployments,
            self.answerer,
            self.metrics,
            self.registry,
            self.bodies,
            doors=self._doors_of(),
            unready=self._unready,
        )
        self.server: Final = Server(
            self.app,
            self.app.at_once,
            connections=serve.connections,
            drain_s=serve.drain_seconds,
            stop_s=serve.stop_seconds,
        )
        self.lacking: Callable[[], str | None] = lambda: None
        """Why it is not ready yet, beside what it says of itself."""

    def _doors_of(self) -> dict[str, Door]:
        """The doors that a file of tokens opens."""
        if not self.settings.serve.tokens:
            return {}
        tokens = read_tokens(Path(self.settings.serve.tokens))
        future_ms = self.settings.worker.future_ms
        self.doors = Doors(tokens, self.teller, self.metrics, future_ms=future_ms, now_ms=_now_ms)
        return {
            "/v1/events": self.doors.events,
            "/v1/labels": self.doors.labels,
            "/v1/cloudevents": self.doors.cloud,
        }

    def swapper(self, name: str) -> Swapper:
        """What swaps a deployment; made at its first state."""
        found = self.swappers.get(name)
        if found is None:
            means = Means(
                self._fetch,
                partial(free_bytes, self.settings.serve.memory_bytes),
                drain_s=self.settings.serve.request_seconds * 2,
                abandoned=lambda count: self.metrics.abandoned.labels(name).inc(count),
                turns=self._turns,
            )
            found = self.swappers[name] = Swapper(name, means)
            self.deployments[name] = found.deployment
            self.metrics.follow(found.deployment)
        return found

    async def run(self, listener: socket.socket, *, number: int = 0) -> None:
        """Serve until told to stop; models and Emitters stay until `close`.

        Args:
            listener: what requests come from.
            number: of this process among those that share the port.

        Raises:
            DriftlineError: metrics cannot be served where the settings say.
        """
        host, port = self.settings.serve.host, self.settings.serve.metrics_port
        if port:
            with metrics_on(host, port + number, "serve.metrics_port"):
                if port + number == listener.getsockname()[1]:
                    # One that is shared does not listen yet, and would lose its port to the metrics.
                    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
                start_http_server(port + number, host, self.registry)
        # What was imported is never garbage, and a request makes a dozen objects that die with it: a collection every
        # 700 of them would find next to nothing, at a tenth of the cost of a request.
        gc.freeze()
        gc.set_threshold(*COLLECT)
        sys.setswitchinterval(SWITCH_S)
        share_heap()
        flushing = asyncio.create_task(forever(self._flush, LINGER_S))
        try:
            await self.server.serve([listener])
        finally:
            flushing.cancel()
            with suppress(asyncio.CancelledError):
                await flushing

    async def close(self) -> None:
        """Close models and Emitters."""
        self.recorder.flush()
        longest_s = self.settings.serve.request_seconds
        await asyncio.gather(*(one.close(longest_s) for one in self.swappers.values()))
        self.answerer.close()
        await self.recorder.caught_up()
        await asyncio.to_thread(self.recorder.close, CLOSE_S)
        if self.doors is not None:
            await asyncio.to_thread(self.doors.close, CLOSE_S)

    def retire_sinks(self) -> None:
        """Close the Emitters of versions that are in memory no more; let what an earlier life left be sent."""
        in_use = {(name, version) for name, one in self.swappers.items() for version in one.versions}
        for sink in self.recorder.idle(in_use):
            # Where no thread can be had now, it stands in the executor's queue, for the next that can.
            with suppress(RuntimeError):
                asyncio.get_running_loop().run_in_executor(None, sink.close, CLOSE_S)
        if self.recorder.is_quiet and has_leftovers(self._folder / SPOOL):
            found = next((one for one in self.swappers.values() if one.champion is not None), None)
            if found is not None and found.champion is not None:
                self.recorder.open(found.deployment.name, found.champion)

    def _flush(self) -> None:
        self.recorder.flush()
        self.bodies.expire()

    def _unready(self) -> str | None:
        if self.server.is_draining:
            return "it is told to stop"
        return self.lacking()

    def _emitter(self, key: Key, manifest: Manifest) -> Sink:
        texts = [name for one in manifest.inputs if one.datatype in ("BYTES", "BOOL") for name in one.names]
        wide = [name for one in manifest.inputs if one.datatype == "FP64" for name in one.names]
        return self._emit(key, f"{self.instance}.{key[2]}.{key[1]}", texts, wide)

    def teller(self, deployment: str, version: str, slot: str) -> Emitter:
        """Give an Emitter for what comes through the doors."""
        return self._emit((deployment, version, slot), f"{self.instance}.door.{slot}.{version}")

    def _emit(self, key: Key, instance: str, texts: Sequence[str] = (), wide: Sequence[str] = ()) -> Emitter:
        deployment, version, slot = key
        try:
            return Emitter(
                deployment,
                version,
                settings=self.settings,
                slot=slot,
                instance=instance[:200],
                categorical=texts,
                float64=wide,
                # One for all: whoever emits sends what another one left, as when its version serves no more.
                spool_dir=self._folder / SPOOL,
                spool_bytes=self.settings.serve.spool_bytes,
            )
        except EmitterError as error:
            raise ServingError(f"predictions of {deployment} {version} cannot be told: {error}") from error


def free_bytes(most: int) -> int:
    """Memory that a model may still take.

    Args:
        most: what this process may take; 0 leaves it to the machine.
    """
    available: int = psutil.virtual_memory().available
    if not most:
        return available
    taken: int = psutil.Process().memory_info().rss
    return min(available, most - taken)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
