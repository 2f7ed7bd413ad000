"""Serve: the agent against a bare uvicorn app that decodes and encodes v2 and makes the same model call, in one run.

Requests of one row of JSON over 16 kept connections, the servers in turn; the model is a scikit-learn classifier of
100 trees over 20 columns, as ONNX. What is judged is processor time a request inside the server, the median of five
rounds: the machine's other load weighs on wall time far more. The agent tells each prediction to a real Kafka through a
real Emitter, whose thread counts, and at the end all of them must be delivered. The bare app tells nobody, counts
nothing and keeps no version. MLServer, in an environment of its own, answers the same requests with the same estimator,
fitted on the same rows, as scikit-learn has it; it tells nobody either.

Then the agent swaps champions under the same load, in turn with rounds without a swap: the p99 of answers against that
of the round before. A swap is told from its preparation, which proves the package in the cache, tries it in a child,
loads and warms it, to the end of the last call of the version before.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import tempfile
import uuid
from pathlib import Path
from typing import Any, Final

import numpy as np
from environments import environment
from numpy.typing import NDArray
from servers import MLServer, Server, load, loaded_for
from sklearn.ensemble import HistGradientBoostingClassifier

from driftline.agents.control.keys import of_seed, public_text
from driftline.agents.serving.package.about import About
from driftline.agents.serving.package.pack import Order, pack_estimator
from driftline.agents.serving.package.stores import folder_store
from driftline.deploy.local.kafka_topics import ensure_topics
from driftline.schemas.settings import Kafka, Settings

KEY: Final = of_seed(b"serving, of the benchmark: a key")
COLUMNS: Final = tuple(f"c{number}" for number in range(20))
ROUNDS: Final = 5
ROUND_S: Final = 1.5
SWAP_ROUNDS: Final = 9
SWAPS: Final = 2
"""In each round with swaps."""
TARGET: Final = 0.7
TARGET_PEER: Final = 3.0
P99_TARGET: Final = 1.5


def run(context: Any) -> list[dict[str, Any]]:
    """Measure, in a folder of its own below the context's."""
    folder = Path(tempfile.mkdtemp(prefix="serve-", dir=context.folder))
    servers: dict[str, Server | MLServer] = {}
    why = ""
    try:
        table, truth = rows()
        np.savez(folder / "rows.npz", table=table, truth=truth)
        wanted = packed(folder, table, truth)
        kafka = Kafka(bootstrap=context.bootstrap, topic_prefix=f"serve-{uuid.uuid4().hex[:8]}.")
        ensure_topics(Settings(kafka=kafka))
        words = (str(folder), public_text(KEY.public), kafka.bootstrap, kafka.topic_prefix)
        servers["bare"] = Server("bare", *words)
        servers["agent"] = agent = Server("agent", *words)
        try:
            servers["mlserver"] = MLServer(environment(context, "mlserver"), folder)
        except RuntimeError as error:
            why = str(error)[:80]
        cpu, rate, asked = in_turn(servers, wanted)
        if "mlserver" in servers:
            servers.pop("mlserver").close()
        changes = [changed(agent, wanted) for _ in range(SWAP_ROUNDS)]
        asked += sum(one["requests"] for one in changes)
        delivered = agent.said("books")["delivered"]
    finally:
        for server in servers.values():
            server.close()
        shutil.rmtree(folder, ignore_errors=True)
    told = [
        judged("processor time a request, bare app against agent", cpu["agent"], cpu["bare"], TARGET),
        row("requests a second", rate["agent"], "1/s", rate["bare"]),
        row("predictions delivered to Kafka, of those answered", [delivered], "events", [asked])
        | {"ratio": delivered / asked, "target": "1", "reached": delivered == asked},
    ]
    if why:
        told.append({"name": f"serve: MLServer could not be run: {why}", "reached": False})
    else:
        name = (
            "processor time a request, MLServer with the scikit-learn estimator against agent with its ONNX"
        )
        told.append(judged(name, cpu["agent"], cpu["mlserver"], TARGET_PEER))
    return [*told, *_changes(changes)]


def in_turn(
    servers: dict[str, Server | MLServer], wanted: bytes
) -> tuple[dict[str, list[float]], dict[str, list[float]], int]:
    """Ask the servers in turn; give µs of processor time a request and requests a second, and the agent's requests."""
    cpu: dict[str, list[float]] = {kind: [] for kind in servers}
    rate: dict[str, list[float]] = {kind: [] for kind in servers}
    asked = 0
    for turn in range(ROUNDS + 1):
        for kind, server in servers.items():
            before_s = server.cpu_s()
            taken = loaded_for(server.port, wanted, ROUND_S)
            asked += len(taken) if kind == "agent" else 0
            if turn:  # the first round warms
                cpu[kind].append((server.cpu_s() - before_s) / len(taken) * 1e6)
                rate[kind].append(len(taken) / ROUND_S)
    return cpu, rate, asked


def rows() -> tuple[NDArray[Any], NDArray[Any]]:
    """Draw what the estimator learns: columns, and a class that two of them decide with a third."""
    table = np.random.default_rng(7).normal(size=(4_000, len(COLUMNS)))
    return table, (table[:, 0] + table[:, 1] * table[:, 2] > 0).astype(int)


def packed(folder: Path, table: NDArray[Any], truth: NDArray[Any]) -> bytes:
    """Pack the model and put it into a store; give a request to it."""
    about = About(
        name="bench", version="1", target="t", owner="o", purpose="p", tier="low", oversight="o",
        training_data="0" * 64, columns=COLUMNS,
    )  # fmt: skip
    golden = {name: table[:200, place] for place, name in enumerate(COLUMNS)}
    order = Order(about=about, rows=golden, out=folder / "package", signers=(KEY,))
    made = pack_estimator(HistGradientBoostingClassifier(max_iter=100).fit(table, truth), order)
    folder_store(folder / "store", make=True).push(made.folder, made.signed)
    name = made.signed.manifest.inputs[0].name
    data = [round(float(value), 4) for value in table[0]]
    body = json.dumps({
        "inputs": [{"name": name, "datatype": "FP64", "shape": [1, len(COLUMNS)], "data": data}]
    }).encode()  # fmt: skip
    head = b"POST /v2/models/bench/infer HTTP/1.1\r\nhost: bench\r\ncontent-length: %d\r\n\r\n" % len(body)
    return head + body


def changed(server: Server, wanted: bytes) -> dict[str, Any]:
    """Ask for a round without a swap and for as long as some take; give p99 of both, ms, and how the swaps went."""
    steady = loaded_for(server.port, wanted, ROUND_S)

    async def whole() -> tuple[list[float], dict[str, Any]]:
        telling = asyncio.create_task(asyncio.to_thread(server.said, f"swap {SWAPS}"))
        taken = await load(server.port, wanted, lambda: not telling.done())
        return taken, await telling

    taken, told = asyncio.run(whole())
    return told | {
        "steady_ms": p99_ms(steady),
        "changing_ms": p99_ms(taken),
        "requests": len(steady) + len(taken),
    }


def _changes(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ratio = statistics.median(one["changing_ms"] / one["steady_ms"] for one in changes)
    p99 = row(
        "p99 while champions are swapped, against steady",
        [one["changing_ms"] for one in changes],
        "ms",
        [one["steady_ms"] for one in changes],
    )
    whole = [seconds * 1e3 for one in changes for seconds in one["prepared_s"]]
    switched = [seconds * 1e3 for one in changes for seconds in one["drained_s"]]
    return [
        p99 | {"ratio": round(ratio, 2), "target": f"<= {P99_TARGET}", "reached": ratio <= P99_TARGET},
        row("one swap, from its preparation to the last call before it", whole, "ms"),
        row("of that, from the switch to the last call before it", switched, "ms"),
    ]


def p99_ms(taken: list[float]) -> float:
    """The time that 99 of 100 answers took at most, ms."""
    return float(np.percentile(taken, 99) * 1e3)


def judged(name: str, ours: list[float], theirs: list[float], target: float) -> dict[str, Any]:
    """Lay out processor times with their ratio, the median of the rounds'."""
    ratio = statistics.median(other / one for one, other in zip(ours, theirs, strict=True))
    told = {"ratio": round(ratio, 2), "target": f">= {target:g}", "reached": ratio >= target}
    return row(name, ours, "µs", theirs) | told


def row(name: str, values: list[float], unit: str, baseline: list[float] | None = None) -> dict[str, Any]:
    """Lay out medians as a row."""
    told = {"name": f"serve: {name}", "value": round(statistics.median(values), 1), "unit": unit}
    return told if baseline is None else told | {"baseline": round(statistics.median(baseline), 1)}
