"""Memory: a drift worker that watches 200 deployments of 25 features, and an emitter whose broker is away.

There is nothing to compare with: each figure stands against what is promised. Both are the greatest resident memory
that the kernel of the system saw of a process (VmHWM).

The worker runs as the process that `driftline worker drift` is, with the settings a user gets; its figure holds
everything from its first import on. 200 deployments with profiles of 60 days send batches of 500 rows whose event
times walk through three days, three hours and 40 minutes, so that windows of each width are open, hot, closed and
published. Once they come at 50,000 events a second while the worker runs, and once they all lie there before it starts,
so that it takes what it can hold (catching up).

The emitter lives in a process that has numpy, as an application with a model has. Its figure is what that process
grows by, from before the import of the client to the end of a load that never waits: single events (dicts of 25) and
columns, with a spool that fills up and without one, until nothing more is taken. The target is its cap on memory and
30 MB.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from confluent_kafka import Producer
from loads import DAY_MS, ROWS, batch, profile

from driftline.deploy.local.kafka_topics import ensure_topics
from driftline.deploy.local.ports import LOOPBACK, free_port
from driftline.deploy.local.worker import WorkerProcess
from driftline.schemas.columns import Identity, pack_predictions
from driftline.schemas.settings import producer_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driftline.schemas.settings import Settings

DEPLOYMENTS: Final = 200
REFERENCE_DAYS: Final = 60
RESOLUTIONS: Final = ("5m", "1h", "1d")
START_MS: Final = 1_750_032_000_000
HOUR_MS: Final = 3_600_000
BATCH_MS: Final = 150_000
# Where the event time of every deployment stands, batch by batch.
STEPS_MS: Final = (
    *(day * DAY_MS for day in range(3)),
    *(3 * DAY_MS + hour * HOUR_MS for hour in range(3)),
    *(3 * DAY_MS + 3 * HOUR_MS + step * BATCH_MS for step in range(16)),
)
READY: Final = 40
EVENTS_A_SECOND: Final = 50_000
WITHIN_S: Final = 300.0
WORKER_TARGET_MB: Final = 400.0
EMITTER_SLACK_MB: Final = 30.0
EMITTER_S: Final = 20.0
LOADS: Final = {
    "events": "events",
    "threads": "events of 16 threads",
    "wide": "events of 900 names, 16 threads",
    "columns": "columns",
    "calls": "columns of 100 rows, 16 threads",
}
MB: Final = 1_000_000


def run(context: Any) -> list[dict[str, Any]]:
    """Measure; `context.settings` reach a running stack."""
    return [
        *emitters(context.folder),
        worker(context.settings, context.folder, live=True),
        worker(context.settings, context.folder, live=False),
    ]


def worker(base: Settings, folder: Path, *, live: bool) -> dict[str, Any]:
    """Measure the drift worker, up to a checkpoint after everything was counted."""
    kafka = msgspec.structs.replace(base.kafka, topic_prefix=f"memory{time.time_ns()}.")
    told = msgspec.structs.replace(base.worker, metrics_port=free_port(set()))
    settings = msgspec.structs.replace(base, kafka=kafka, worker=told)
    ensure_topics(settings)
    process = WorkerProcess("drift", settings, log=folder / "memory-drift.log", cwd=folder)
    if live:
        process.begin()
    send(settings, EVENTS_A_SECOND if live else None)
    process.begin()  # one that lives is left as it is
    try:
        wait_for_events(process, told.metrics_port, DEPLOYMENTS * len(STEPS_MS) * ROWS)
        time.sleep(told.checkpoint_seconds + told.publish_seconds)
        peak = peak_mb(process)
    finally:
        process.stop()
    how = "live" if live else "catching up"
    return row(
        f"memory: drift worker, {DEPLOYMENTS} deployments x 25 features, {how}", peak, WORKER_TARGET_MB
    )


def send(settings: Settings, rate: int | None) -> None:
    """Publish a profile for each deployment, then the batches of all, in the order of event time.

    Args:
        settings: where to.
        rate: events a second; None as fast as the broker takes them.
    """
    prefix, draw = settings.kafka.topic_prefix, np.random.default_rng(11)
    names = [f"memory-{number}" for number in range(DEPLOYMENTS)]
    producer = Producer(producer_config(settings.kafka, queue_buffering_max_kbytes=1 << 20, linger_ms=20))
    reference = profile(draw, "memory", end_ms=START_MS, days=REFERENCE_DAYS, resolutions=RESOLUTIONS)
    for name in names:
        body = replace(reference, deployment=name).to_bytes()
        producer.produce(f"{prefix}profiles", body, f"{name}/1".encode())
    if rate is not None and producer.flush(60):
        raise RuntimeError("the broker did not take the profiles within 60 s: see kafka.log of the stack")
    began = time.monotonic()
    for number, (name, value) in enumerate(batches(draw, names)):
        if rate is not None:
            time.sleep(max(0.0, began + number * ROWS / rate - time.monotonic()))
        producer.produce(f"{prefix}predictions", value, name.encode())
        producer.poll(0)
    if producer.flush(120):
        raise RuntimeError("the broker did not take the load within 120 s: see kafka.log of the stack")


def batches(draw: np.random.Generator, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """Give (deployment, packed batch); the values of some batches serve all."""
    spread = np.sort(draw.integers(0, BATCH_MS, ROWS))
    ready = [batch(draw, "memory", 0, spread) for _ in range(READY)]
    for seq, step in enumerate(STEPS_MS):
        for at, name in enumerate(names):
            values = ready[(seq + at) % READY]
            one = replace(
                values,
                deployment=name,
                identity=Identity(f"bench-{name}", 1, seq),
                times_ms=START_MS + step + spread,
            )
            yield name, pack_predictions(one)


def wait_for_events(process: WorkerProcess, port: int, total: int) -> None:
    """Wait until the worker says that it has counted the whole load."""
    deadline = time.monotonic() + WITHIN_S
    counted = 0
    while counted < total:
        if not process.alive:
            raise RuntimeError(f"the drift worker ended with code {process.exit_code}: see {process.log}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"the drift worker counted {counted} of {total} events in {WITHIN_S:g} s")
        time.sleep(0.5)
        counted = events(port)


def events(port: int) -> int:
    """Ask a drift worker how many events it has counted; 0 while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0
    return int(
        sum(float(line.split()[-1]) for line in lines if line.startswith("driftline_drift_events_total"))
    )


def peak_mb(process: WorkerProcess) -> float:
    """Ask the system for the greatest resident memory of a living process."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024 / MB


def emitters(folder: Path) -> list[dict[str, Any]]:
    """Measure emitters, each in a process of its own, with nobody behind the address of the broker."""
    rows = []
    for load, words in LOADS.items():
        for spool in (None, folder / "memory-spool"):
            if spool is not None:
                shutil.rmtree(spool, ignore_errors=True)
            found = emitter(load, spool)
            name = f"memory: emitter, broker away, {words}, {'a full spool' if spool else 'no spool'}"
            rows.append(row(name, found["grown"] / MB, found["cap"] / MB + EMITTER_SLACK_MB))
            if spool is not None:
                shutil.rmtree(spool, ignore_errors=True)
    return rows


def emitter(load: str, spool: Path | None) -> dict[str, int]:
    """Run one emitter under one load; what it grew by and its cap on memory, bytes."""
    script = str(Path(__file__).with_name("emitter_away.py"))
    bootstrap = f"{LOOPBACK}:{free_port(set())}"
    command = [sys.executable, script, load, str(spool or ""), bootstrap, str(EMITTER_S)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise RuntimeError(
            f"the emitter under a load of {load} failed: {said[-1] if said else done.returncode}"
        )
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def row(name: str, value_mb: float, target_mb: float) -> dict[str, Any]:
    """Give one figure of memory against its promise."""
    return {
        "name": name,
        "value": round(value_mb, 1),
        "unit": "MB",
        "target": round(target_mb, 1),
        "reached": value_mb <= target_mb,
    }
