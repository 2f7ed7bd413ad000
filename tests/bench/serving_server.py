"""A server of the benchmark `serve`: `agent` is the serving agent, `bare` an ASGI app that does nothing but answer.

Usage: serving_server.py agent|bare FOLDER KEY [BOOTSTRAP]: it prints its port, and on each line that it reads one of
JSON with its processor time. A line `swap N` lets the agent swap N times between two champions, and tells how it went.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import uvicorn
import uvloop

from driftline.agents.serving.agent import Agent
from driftline.agents.serving.loader import Fetched
from driftline.agents.serving.package.verify import verify
from driftline.agents.serving.server import listening
from driftline.schemas.settings import Kafka, Serve, Settings


class Silent:
    """Where predictions go when there is no Kafka: nowhere."""

    def log_many(self, columns: Any, score: Any = None, **facts: Any) -> None:
        """Forget rows."""

    def close(self, timeout: float = 0.0) -> None:
        """End."""


class _Input(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class _Request(msgspec.Struct):
    inputs: list[_Input]
    id: str = ""


def bare(model: Any) -> Any:
    """An app that decodes a v2 request of one FP32 tensor, calls the model on its loop, and encodes the answer."""
    decoder, encoder = msgspec.json.Decoder(_Request), msgspec.json.Encoder()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        asked = decoder.decode(body)
        inputs = {one.name: np.array(one.data, np.float32).reshape(one.shape) for one in asked.inputs}
        answers = model.predict(inputs)
        outputs = [
            {"name": name, "datatype": "FP32", "shape": array.shape, "data": array.ravel().tolist()}
            for name, array in answers.items()
        ]
        told = {"model_name": "bare", "model_version": "1", "id": asked.id, "outputs": outputs}
        data = encoder.encode(told)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    return app


async def main(kind: str, folder: Path, key: str, bootstrap: str) -> None:
    """Serve until stdin ends."""
    from driftline.agents.control.keys import public_of
    from driftline.agents.control.signing import key_id

    public = public_of(key)
    signed = verify(folder, {key_id(public): public})
    fetched = Fetched(signed.ref, folder, signed.manifest, 0)
    loaded = fetched.load()
    listener = listening("127.0.0.1", 0, shared=False)
    state = Path(tempfile.mkdtemp())
    settings = Settings(kafka=Kafka(bootstrap=bootstrap), serve=Serve(drain_seconds=0.0, stop_seconds=1.0))
    sink = None if bootstrap else (lambda _key, _manifest: Silent())
    agent = Agent(settings, "bench", lambda _ref: fetched, state, sink)
    if kind == "agent":
        agent.swapper("bench").adopt(loaded)
        serving = asyncio.create_task(agent.run(listener))
    else:
        config = uvicorn.Config(
            bare(loaded.model), loop="none", http="httptools", lifespan="off", log_config=None, access_log=False,
            server_header=False, date_header=False,
        )  # fmt: skip
        serving = asyncio.create_task(uvicorn.Server(config).serve([listener]))
    await asyncio.sleep(0.2)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        told: dict[str, Any] = {"cpu_s": time.process_time()}
        if line.startswith("swap"):
            told["drained_s"] = await _swaps(agent, fetched, int(line.split()[1]))
        print(json.dumps(told), flush=True)
    serving.cancel()


async def _swaps(agent: Agent, fetched: Fetched, count: int) -> list[float]:
    """Swap so often; give the seconds from the beginning of each load to the end of the last call before it."""
    swapper, taken = agent.swapper("bench"), []
    for number in range(count):
        began_s = time.perf_counter()
        following = await asyncio.to_thread(fetched.load)
        # Each is a package of its own, as versions are.
        following.ref = msgspec.structs.replace(following.ref, version=f"swap-{number}")
        swapper.adopt(following)
        await swapper.deployment.drained(30)
        taken.append(time.perf_counter() - began_s)
        await asyncio.sleep(0.1)
    return taken


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else ""))
