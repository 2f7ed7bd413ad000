"""An agent on loopback for tests: models made of a function, states without Kafka, predictions kept in a list."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from packaged import about

from driftline.agents.serving.agent import Agent
from driftline.agents.serving.package.manifest import File, Golden, Manifest, Score
from driftline.agents.serving.package.tensors import Tensor
from driftline.agents.serving.server import listening
from driftline.agents.serving.slots import Loaded
from driftline.schemas.control.command import ModelRef
from driftline.schemas.settings import Serve, Settings

Function = Callable[[Mapping[str, Any]], dict[str, Any]]
X = Tensor(name="X", datatype="FP32", shape=(-1, 3), columns=("age", "income", "visits"))
P = Tensor(name="p", datatype="FP32", shape=(-1, 1))


def ones(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Answer 1 for every row."""
    return {"p": np.ones((len(inputs["X"]), 1), np.float32)}


def constant(value: float) -> Function:
    """Return a function that answers a number for every row."""
    return lambda inputs: {"p": np.full((len(inputs["X"]), 1), value, np.float32)}


class Model:
    """A model made of a function; knows whether it was closed, and fails when it is asked afterwards."""

    def __init__(self, function: Function, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        self.inputs, self.outputs, self._function = inputs, outputs, function
        self.is_closed = threading.Event()

    def predict(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Answer."""
        assert not self.is_closed.is_set(), "a closed model was asked"
        answer = self._function(inputs)
        assert not self.is_closed.is_set(), "a model was closed while it was asked"
        return answer

    def close(self) -> None:
        """End."""
        self.is_closed.set()


def ref(version: str) -> ModelRef:
    """Return the name of a package, as `signed.model` does."""
    return ModelRef(name="churn", version=version, manifest=hashlib.sha256(version.encode()).hexdigest())


def manifest(version: str = "1", **fields: Any) -> Manifest:
    """Return a manifest of a model that takes three columns and answers a score."""
    said = about()
    whole: dict[str, Any] = {
        **{name: getattr(said, name) for name in ("name", "target", "owner", "purpose", "tier", "oversight")},
        "version": version,
        "training_data": said.training_data,
        "provenance": "none",
        "format": "onnx",
        "model": "model.onnx",
        "files": (File(path="model.onnx", size=1, sha256="0" * 64),),
        "inputs": (X,),
        "outputs": (P,),
        "golden": Golden(file="golden.json", rows=1, rtol=0.0, atol=0.0),
        "scores": (Score(name="score", output="p"),),
    }
    return Manifest(**(whole | fields))


def loaded(version: str = "1", function: Function = ones, **fields: Any) -> Loaded:
    """Return a version in memory."""
    held = manifest(version, **fields)
    return Loaded(ref(version), held, Model(function, held.inputs, held.outputs))


class Package:
    """A package that is fetched: loads what a function makes, and may take its time, its memory, or fail."""

    def __init__(
        self,
        version: str,
        function: Function = ones,
        *,
        memory_bytes: int = 0,
        fails: str = "",
        **fields: Any,
    ) -> None:
        self.version, self.function, self.memory_bytes = version, function, memory_bytes
        self.fails, self.manifest = fails, manifest(version, **fields)
        self.made: list[Model] = []
        self.releases = 0
        self.may_load = threading.Event()
        self.may_load.set()

    def load(self) -> Loaded:
        """Load it."""
        self.may_load.wait(30)
        if self.fails:
            raise RuntimeError(self.fails)
        model = Model(self.function, self.manifest.inputs, self.manifest.outputs)
        self.made.append(model)
        return Loaded(ref(self.version), self.manifest, model, self.release)

    def release(self) -> None:
        """Let it go."""
        self.releases += 1


class Shelf:
    """Packages by version."""

    def __init__(self, *packages: Package) -> None:
        self.packages = {one.version: one for one in packages}

    def fetch(self, wanted: ModelRef) -> Package:
        """Give one; raises when there is none."""
        if wanted.version not in self.packages:
            raise RuntimeError(f"there is no package {wanted.version}")
        return self.packages[wanted.version]


class Kept:
    """Where predictions go in tests: a list of rows of deployment, version, slot and facts."""

    def __init__(self, *, whole: bool = True) -> None:
        self.rows: list[dict[str, Any]] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        """Rows by version and status, also where they are not kept."""
        self.is_whole = whole
        self.closed: list[tuple[str, str, str]] = []

    def make(self, key: tuple[str, str, str], _manifest: Manifest) -> Any:
        """Return what takes the rows of a key."""
        kept = self

        class Sink:
            def log_many(self, columns: Any, score: Any = None, **facts: Any) -> None:
                ids = facts["ids"]
                kept.counts.update((key[1], status) for status in facts["status"])
                if not kept.is_whole:
                    return
                for row, identity in enumerate(ids):
                    kept.rows.append({
                        "key": key,
                        "id": identity if isinstance(identity, str) else bytes(identity),
                        "features": {name: values[row] for name, values in columns.items()},
                        "score": {name: float(values[row]) for name, values in (score or {}).items()},
                        "status": facts["status"][row],
                        "latency_ms": facts["latency_ms"][row],
                        "at_ms": int(facts["at"][row]),
                    })  # fmt: skip

            def close(self, timeout: float = 0.0) -> None:
                del timeout
                kept.closed.append(key)

        return Sink()


def settings(**fields: Any) -> Settings:
    """Return settings of an agent that stops at once."""
    return Settings(serve=Serve(**({"drain_seconds": 0.0, "stop_seconds": 2.0} | fields)))


@contextlib.asynccontextmanager
async def running(agent: Agent) -> AsyncIterator[int]:
    """Let an agent serve; gives its port."""
    listener = listening("127.0.0.1", 0, shared=False)
    serving = asyncio.create_task(agent.run(listener))
    while not agent.server.started:
        assert not serving.done(), serving.exception()
        await asyncio.sleep(0.005)
    try:
        yield listener.getsockname()[1]
    finally:
        agent.server.stop()
        await serving
        await agent.close()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition, at most a minute."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - what is waited for knows no event
            await asyncio.sleep(0.005)


@contextlib.contextmanager
def in_background(make: Callable[[], Agent]) -> Iterator[tuple[Agent, int]]:
    """Let an agent serve in a thread with a loop of its own, for clients that block; gives it and its port."""
    ready: list[Any] = []
    started, stop = threading.Event(), threading.Event()

    async def whole() -> None:
        agent = make()
        async with running(agent) as port:
            ready.extend((agent, port))
            started.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(whole()))
    thread.start()
    try:
        assert started.wait(30)
        yield ready[0], ready[1]
    finally:
        stop.set()
        thread.join(30)


def agent(folder: Path, *packages: Package, kept: Kept | None = None, **fields: Any) -> Agent:
    """Return an agent with these packages, and no state yet."""
    return Agent(settings(**fields), "test-0", Shelf(*packages).fetch, folder, (kept or Kept()).make)


def request(rows: int = 1, **fields: Any) -> bytes:
    """Return the JSON of a request to a model of three columns."""
    data = [0.5] * (3 * rows)
    whole = {"inputs": [{"name": "X", "datatype": "FP32", "shape": [rows, 3], "data": data}]}
    return msgspec.json.encode(whole | fields)
