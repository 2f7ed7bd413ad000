"""A server of the benchmark `serve`: `agent` is the serving agent, `bare` an ASGI app that does nothing but answer.

Usage: serving_server.py agent|bare FOLDER KEY BOOTSTRAP PREFIX, where the folder has a package and a store with it. It
prints its port, and on each line that it reads one of JSON with its processor time. `swap N` lets the agent swap
champions N times, and tells how it went; `books` tells how many of its predictions Kafka has.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import uvicorn
import uvloop

from driftline.agents.control.keys import public_of
from driftline.agents.control.signing import key_id
from driftline.agents.emit import Emitter
from driftline.agents.serving.agent import Agent
from driftline.agents.serving.loader import PackageLoader
from driftline.agents.serving.package.cache import Cache
from driftline.agents.serving.package.stores import folder_store
from driftline.agents.serving.package.verify import verify
from driftline.agents.serving.server import listening
from driftline.schemas.control.command import ModelRef
from driftline.schemas.settings import Kafka, Serve, Settings


class _Input(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class _Request(msgspec.Struct):
    inputs: list[_Input]
    id: str = ""


def bare(model: Any) -> Any:
    """An app that decodes a v2 request of one FP64 tensor, calls the model on its loop, and encodes the answer."""
    decoder, encoder = msgspec.json.Decoder(_Request), msgspec.json.Encoder()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        asked = decoder.decode(body)
        inputs = {one.name: np.array(one.data, np.float64).reshape(one.shape) for one in asked.inputs}
        answers = model.predict(inputs)
        outputs = [
            {"name": name, "datatype": "FP64", "shape": array.shape, "data": array.ravel().tolist()}
            for name, array in answers.items()
        ]
        told = {"model_name": "bare", "model_version": "1", "id": asked.id, "outputs": outputs}
        data = encoder.encode(told)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    return app


async def main(kind: str, folder: Path, key: str, kafka: Kafka) -> None:
    """Serve until stdin ends."""
    public = public_of(key)
    keys = {key_id(public): public}
    state = Path(tempfile.mkdtemp(dir=folder))
    cache = Cache(state / "cache", max_bytes=1 << 30)
    loader = PackageLoader(cache, folder_store(folder / "store"), lambda _: keys)
    ref = verify(folder / "package", keys).ref
    loaded = (await asyncio.to_thread(loader.fetch, ref)).load()
    listener = listening("127.0.0.1", 0, shared=False)
    settings = Settings(kafka=kafka, serve=Serve(drain_seconds=0.0, stop_seconds=1.0))
    agent = Agent(settings, "bench", loader.fetch, state)
    if kind == "agent":
        agent.swapper("bench").adopt(loaded)
        server: uvicorn.Server = agent.server
        serving = asyncio.create_task(agent.run(listener))
    else:
        config = uvicorn.Config(
            bare(loaded.model), loop="none", http="httptools", lifespan="off", log_config=None, access_log=False,
            server_header=False, date_header=False,
        )  # fmt: skip
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
    while not server.started:  # noqa: ASYNC110 - it knows no event
        await asyncio.sleep(0.01)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        told: dict[str, Any] = {"cpu_s": time.process_time()}
        if line.startswith("swap"):
            told |= await _swaps(agent, loader, ref, int(line.split()[1]))
        elif line.startswith("books"):
            told["delivered"] = await asyncio.to_thread(_delivered, agent)
        print(json.dumps(told), flush=True)
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
    await agent.close()


async def _swaps(agent: Agent, loader: PackageLoader, ref: ModelRef, count: int) -> dict[str, list[float]]:
    """Swap so often; give the seconds from each preparation, and each switch, to the end of the last call before it."""
    swapper = agent.swapper("bench")
    prepared, drained = [], []
    for _ in range(count):
        began_s = time.perf_counter()
        fetched = await asyncio.to_thread(loader.fetch, ref)
        following = await asyncio.to_thread(fetched.load)
        # Each is a version of its own, which has a package and an Emitter of its own.
        name = uuid.uuid4().hex
        following.ref = msgspec.structs.replace(ref, version=name[:12], manifest=name * 2)
        switched_s = time.perf_counter()
        swapper.adopt(following)
        await swapper.deployment.drained(30)
        drained.append(time.perf_counter() - switched_s)
        prepared.append(time.perf_counter() - began_s)
    return {"prepared_s": prepared, "drained_s": drained}


def _delivered(agent: Agent) -> int:
    """How many predictions Kafka has."""
    count = 0
    for sink in agent.recorder.idle(set()):
        assert isinstance(sink, Emitter)
        sink.close(30.0)
        count += sink.stats().topics["predictions"].delivered
    return count


if __name__ == "__main__":
    broker = Kafka(bootstrap=sys.argv[4], topic_prefix=sys.argv[5])
    uvloop.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], broker))
