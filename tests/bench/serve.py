"""Serve: the agent against a bare uvicorn app that decodes and encodes v2 and makes the same model call, in one run.

Requests of one row of JSON over 16 kept connections, the two servers in turn; the model is a scikit-learn classifier of
100 trees over 20 columns, as ONNX. What is judged is processor time a request inside the server, the median of five
rounds: the machine's other load weighs on wall time far more. The agent tells its predictions to nobody here (`emit`
measures that). Then the agent swaps champions under the same load: the p99 of answers while it does so stands against
that of the rounds before, and a swap is told from the beginning of its load to the end of the last call before it.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from driftline.agents.control.keys import of_seed, public_text
from driftline.agents.serving.package.about import About
from driftline.agents.serving.package.pack import Order, pack_estimator

KEY: Final = of_seed(b"serving, of the benchmark: a key")
COLUMNS: Final = tuple(f"c{number}" for number in range(20))
CONNECTIONS: Final = 16
ROUNDS: Final = 5
ROUND_S: Final = 1.5
SWAPS: Final = 10
TARGET: Final = 0.7
P99_TARGET: Final = 1.5
SERVER: Final = Path(__file__).with_name("serving_server.py")


def run(context: Any) -> list[dict[str, Any]]:
    """Measure, in a folder of its own below the context's."""
    folder = Path(tempfile.mkdtemp(prefix="serve-", dir=context.folder))
    servers: dict[str, Server] = {}
    try:
        model, wanted = packed(folder)
        servers = {kind: Server(kind, model) for kind in ("bare", "agent")}
        cpu: dict[str, list[float]] = {kind: [] for kind in servers}
        rate: dict[str, list[float]] = {kind: [] for kind in servers}
        steady: list[float] = []
        for turn in range(ROUNDS + 1):
            for kind, server in servers.items():
                before_s = server.said("cpu")["cpu_s"]
                taken = asyncio.run(load(server.port, wanted, ROUND_S))
                if turn:  # the first round warms
                    cpu[kind].append((server.said("cpu")["cpu_s"] - before_s) / len(taken) * 1e6)
                    rate[kind].append(len(taken) / ROUND_S)
                    steady += taken if kind == "agent" else []
        changing, drained = swapped(servers["agent"], wanted)
    finally:
        for server in servers.values():
            server.close()
        shutil.rmtree(folder, ignore_errors=True)
    ratio = statistics.median(bare / agent for bare, agent in zip(cpu["bare"], cpu["agent"], strict=True))
    p99 = p99_ms(changing) / p99_ms(steady)
    return [
        row("processor time a request, bare app against agent", cpu["agent"], "µs", cpu["bare"])
        | {"ratio": round(ratio, 2), "target": f">= {TARGET}", "reached": ratio >= TARGET},
        row("requests a second", rate["agent"], "1/s", rate["bare"]),
        row("p99 while champions are swapped, against steady", [p99_ms(changing)], "ms", [p99_ms(steady)])
        | {"ratio": round(p99, 2), "target": f"<= {P99_TARGET}", "reached": p99 <= P99_TARGET},
        row("one swap, from its load to the last call before it", [one * 1e3 for one in drained], "ms"),
    ]


def packed(folder: Path) -> tuple[Path, bytes]:
    """Pack the model; give its folder and a request to it."""
    random = np.random.default_rng(7)
    table = random.normal(size=(4_000, len(COLUMNS)))
    truth = (table[:, 0] + table[:, 1] * table[:, 2] > 0).astype(int)
    about = About(
        name="bench", version="1", target="t", owner="o", purpose="p", tier="low", oversight="o",
        training_data="0" * 64, columns=COLUMNS,
    )  # fmt: skip
    rows = {name: table[:200, place] for place, name in enumerate(COLUMNS)}
    order = Order(about=about, rows=rows, out=folder / "package", signers=(KEY,))
    made = pack_estimator(HistGradientBoostingClassifier(max_iter=100).fit(table, truth), order)
    name = made.signed.manifest.inputs[0].name
    data = [round(float(value), 4) for value in table[0]]
    body = json.dumps({
        "inputs": [{"name": name, "datatype": "FP32", "shape": [1, len(COLUMNS)], "data": data}]
    }).encode()  # fmt: skip
    head = b"POST /v2/models/bench/infer HTTP/1.1\r\nhost: bench\r\ncontent-length: %d\r\n\r\n" % len(body)
    return folder / "package", head + body


class Server:
    """A server as a process."""

    def __init__(self, kind: str, package: Path) -> None:
        words = [sys.executable, str(SERVER), kind, str(package), public_text(KEY.public)]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self._read()["port"])

    def said(self, word: str) -> dict[str, Any]:
        """Tell it something; give what it answers."""
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(30)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a server of the benchmark ended")
        told: dict[str, Any] = json.loads(line)
        return told


async def load(port: int, wanted: bytes, seconds: float) -> list[float]:
    """Ask over some connections for a time; give how long each answer took, s."""
    until_s, taken = time.perf_counter() + seconds, []

    async def caller() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (asked_s := time.perf_counter()) < until_s:
            writer.write(wanted)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"a request failed: {head[:100]!r}")
            at = head.index(b"content-length:") + len(b"content-length:")
            await reader.readexactly(int(head[at:].split(b"\r\n", 1)[0]))
            taken.append(time.perf_counter() - asked_s)
        writer.close()

    await asyncio.gather(*(caller() for _ in range(CONNECTIONS)))
    return taken


def swapped(server: Server, wanted: bytes) -> tuple[list[float], list[float]]:
    """Let the agent swap under load; give how long answers took meanwhile, and the swaps."""

    async def whole() -> tuple[list[float], list[float]]:
        telling = asyncio.create_task(asyncio.to_thread(server.said, f"swap {SWAPS}"))
        taken: list[float] = []
        while not telling.done():
            taken += await load(server.port, wanted, 0.2)
        return taken, (await telling)["drained_s"]

    return asyncio.run(whole())


def p99_ms(taken: list[float]) -> float:
    """The time that 99 of 100 answers took at most, ms."""
    return float(np.percentile(taken, 99) * 1e3)


def row(name: str, values: list[float], unit: str, baseline: list[float] | None = None) -> dict[str, Any]:
    """Lay out medians as a row."""
    told = {"name": f"serve: {name}", "value": round(statistics.median(values), 1), "unit": unit}
    return told if baseline is None else told | {"baseline": round(statistics.median(baseline), 1)}
