"""Packages: how long a trial takes, a package to come into the cache, and how long a load holds up other threads.

The model is an ONNX network of 100 MB of weights, and one of a few bytes. A trial is a child process from its start to
its end; the baseline is one that imports numpy and onnxruntime and ends. The stall is the longest that a thread which
sleeps for half a millisecond at a time was away beyond what it is away while nothing is loaded: what requests of the
model that serves would feel. The median of several rounds.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from driftline.agents.control.keys import of_seed
from driftline.agents.serving.package.about import About
from driftline.agents.serving.package.cache import Cache
from driftline.agents.serving.package.loading import load
from driftline.agents.serving.package.pack import Order, Packed, pack_file
from driftline.agents.serving.package.stores import folder_store
from driftline.agents.serving.package.trial import trial

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH: Final = 5_000
ROUNDS: Final = 7
TICK_S: Final = 0.0005
REST_S: Final = 0.3
STALL_TARGET_MS: Final = 10.0
KEY: Final = of_seed(b"packages of the benchmark: a key")
IMPORTS: Final = "import numpy, onnxruntime"


def run(context: Any) -> list[dict[str, Any]]:
    """Measure, in a folder of its own below the context's."""
    folder = Path(tempfile.mkdtemp(prefix="packages-", dir=context.folder))
    try:
        return [*_trials(folder), *_large(folder)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _trials(folder: Path) -> list[dict[str, Any]]:
    small = packed(folder / "small", 4)
    taken, bare = [], []
    for _ in range(ROUNDS):
        bare.append(seconds(lambda: subprocess.run([sys.executable, "-c", IMPORTS], check=True)))
        went = trial(small.folder, small.signed.manifest)
        went.require()
        taken.append(went.total_s)
    return [row("trial of a small model, against a bare child", taken, "s", statistics.median(bare))]


def _large(folder: Path) -> list[dict[str, Any]]:
    large = packed(folder / "large", WIDTH)
    store = folder_store(folder / "store", make=True)
    store.push(large.folder, large.signed)
    keys = {KEY.keyid: KEY.public}
    copied, again, tried, loaded, stalls = [], [], [], [], []
    for _ in range(ROUNDS):
        shutil.rmtree(folder / "cache", ignore_errors=True)
        cache = Cache(folder / "cache", max_bytes=1 << 30)
        copied.append(seconds(partial(cache.take, large.signed.ref, keys, store)))
        restarted = Cache(folder / "cache", max_bytes=1 << 30)
        again.append(seconds(partial(restarted.take, large.signed.ref, keys, store)))
        went = trial(large.folder, large.signed.manifest)
        went.require()
        tried.append(went.total_s)
        took_s, stall_ms = loading(large)
        loaded.append(took_s)
        stalls.append(stall_ms)
    stall = row("100 MB, longest stall of another thread while it loads", stalls, "ms")
    reached = statistics.median(stalls) <= STALL_TARGET_MS
    return [
        row("100 MB from a folder into the cache", copied, "s"),
        row("100 MB proved again after a restart", again, "s"),
        row("trial of 100 MB", tried, "s"),
        row("100 MB loaded in a thread", loaded, "s"),
        {**stall, "target": STALL_TARGET_MS, "reached": reached},
    ]


def loading(made: Packed) -> tuple[float, float]:
    """Load a package in a thread; gives how long it took, s, and how long another thread stalled, ms."""
    took: list[float] = []
    with ticking() as gaps:
        time.sleep(REST_S)
        idle = max(gaps)
        gaps.clear()
        thread = threading.Thread(target=lambda: took.append(seconds(lambda: _loaded(made))))
        thread.start()
        thread.join()
        longest = max(gaps)
    return took[0], max(0.0, longest - idle) * 1_000


def _loaded(made: Packed) -> None:
    load(made.folder, made.signed.manifest).close()


@contextmanager
def ticking() -> Iterator[list[float]]:
    """Run a thread that wakes every half millisecond; gives the list that it puts the gaps between two wakes in, s."""
    gaps: list[float] = []
    done = threading.Event()

    def tick() -> None:
        last = time.perf_counter()
        while not done.is_set():
            time.sleep(TICK_S)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield gaps
    finally:
        done.set()
        thread.join()


def packed(folder: Path, width: int) -> Packed:
    """Pack a network of one hidden square layer of so many units."""
    folder.mkdir()
    draw = np.random.default_rng(7)
    sizes = [(3, width), (width, width), (width, 1)]
    weights = [
        numpy_helper.from_array((draw.normal(size=size) / size[0] ** 0.5).astype(np.float32), f"w{number}")
        for number, size in enumerate(sizes)
    ]
    nodes = [
        helper.make_node("MatMul", ["X", "w0"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w1"], ["c"]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("MatMul", ["d", "w2"], ["p"]),
    ]
    info = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["r", count])
        for name, count in (("X", 3), ("p", 1))
    ]
    graph = helper.make_graph(nodes, "dense", info[:1], info[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save_model(model, folder / "m.onnx")
    about = About(
        name="bench",
        version="1",
        target="none",
        owner="nobody",
        purpose="is measured",
        tier="low",
        oversight="nobody",
        training_data="0" * 64,
    )
    rows = {"X": draw.normal(size=(40, 3))}
    return pack_file(folder / "m.onnx", Order(about=about, rows=rows, out=folder / "package", signers=(KEY,)))


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes, s."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def row(name: str, values: list[float], unit: str, baseline: float | None = None) -> dict[str, Any]:
    """One line of the table: the median of the rounds."""
    value = statistics.median(values)
    return {
        "name": f"packages: {name}",
        "value": value,
        "unit": unit,
        "baseline": baseline,
        "ratio": None if baseline is None else value / baseline,
    }
