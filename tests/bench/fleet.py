"""The fleet: 300 deployments with labels, one accuracy worker, a steady load; whether its lag and memory stand still.

Each deployment sends 33 predictions of a binary score a second, in a batch each 2 s, and as many labels of predictions
that are 10 s old; windows of 5 minutes, hours and days. That is 10,000 predictions and 10,000 labels a second from real
Kafka. After a minute of warming up the load goes on for another, whose first and last third are compared: the rows that
were sent and not read yet, as seconds of the load, looked at four times a second; and the resident memory of the
worker. Memory grows by what is held of facts until windows go cold or the cap is reached, so it stands against the cap.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, Final

import msgspec
import numpy as np
import psutil
from accuracy import counted
from confluent_kafka import Producer
from loads import profile

from driftline.deploy.local.kafka_topics import ensure_topics
from driftline.deploy.local.ports import free_port
from driftline.deploy.local.worker import WorkerProcess
from driftline.schemas.columns import (
    Identity,
    LabelColumns,
    NumericBlock,
    PredictionColumns,
    pack_labels,
    pack_predictions,
)
from driftline.schemas.settings import Settings, producer_config

DEPLOYMENTS: Final = 300
BATCH_ROWS: Final = 66
EVERY_S: Final = 2.0
RATE: Final = 2 * DEPLOYMENTS * BATCH_ROWS / EVERY_S
"""Rows a second, of both topics."""
DELAY: Final = 5
"""Batches of a deployment after which the labels of one come."""
WARM_S: Final = 60.0
STEADY_S: Final = 60.0
LOOK_S: Final = 0.25
LAG_SLACK_S: Final = 2.0
PROGRAM_MB: Final = 300.0
"""What the worker takes beside facts: the interpreter, libraries, Kafka's client and its 32 MiB of records ahead."""
MB: Final = 1_000_000


@dataclass(slots=True)
class Load:
    """The load, sent by a thread at its pace; `sent` counts rows of both topics."""

    settings: Settings
    sent: int = 0
    failure: Exception | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Send until told to stop; a failure ends it and is kept."""
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - raised again by who waits
            self.failure = error

    def _run(self) -> None:
        prefix, draw = self.settings.kafka.topic_prefix, np.random.default_rng(6)
        producer = Producer(producer_config(self.settings.kafka, linger_ms=20))
        waiting: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in range(DEPLOYMENTS)]
        began, number = time.monotonic(), 0
        while not self.stopping.wait(max(0.0, began + number * EVERY_S / DEPLOYMENTS - time.monotonic())):
            seq, at = divmod(number, DEPLOYMENTS)
            name, number = f"fleet-{at}", number + 1
            said = predictions(draw, name, seq)
            producer.produce(f"{prefix}predictions", pack_predictions(said), name.encode())
            self.sent += said.rows
            waiting[at].append((said.ids, said.times_ms))
            if len(waiting[at]) > DELAY:
                ids, times = waiting[at].pop(0)
                told = labels(draw, name, seq, ids, times)
                producer.produce(f"{prefix}labels", pack_labels(told), name.encode())
                self.sent += told.rows
            producer.poll(0)
        if producer.flush(30):
            raise RuntimeError("the broker did not take the load")


def predictions(draw: np.random.Generator, name: str, seq: int) -> PredictionColumns:
    """A batch of predictions of now."""
    ids = draw.integers(0, 256, (BATCH_ROWS, 16), dtype=np.uint8)
    times = round(time.time() * 1000) - np.sort(draw.integers(0, int(EVERY_S * 1000), BATCH_ROWS))[::-1]
    scores = [NumericBlock(("score",), draw.random((1, BATCH_ROWS), dtype=np.float32))]
    return PredictionColumns(
        name, "1", "champion", BATCH_ROWS, Identity(name, 1, seq), ids, None, times, scores=scores
    )


def labels(
    draw: np.random.Generator, name: str, seq: int, ids: np.ndarray, times: np.ndarray
) -> LabelColumns:
    """The labels of a batch, known a second after their events."""
    truth = draw.integers(0, 2, len(ids)).astype(np.float64)
    return LabelColumns(name, len(ids), Identity(name, 1, seq), ids, None, times + 1_000, numbers=truth)


def run(context: Any) -> list[dict[str, Any]]:
    """Measure; `context.settings` reach a running stack."""
    kafka = msgspec.structs.replace(context.settings.kafka, topic_prefix=f"fleet{time.time_ns()}.")
    told = msgspec.structs.replace(context.settings.worker, metrics_port=free_port(set()))
    settings = msgspec.structs.replace(context.settings, kafka=kafka, worker=told)
    ensure_topics(settings)
    publish_profiles(settings)
    worker = WorkerProcess(
        "accuracy", settings, log=context.folder / "fleet-accuracy.log", cwd=context.folder
    )
    load = Load(settings)
    sender = threading.Thread(target=load.run)
    worker.begin()
    sender.start()
    try:
        looks = watched(load, worker, told.metrics_port)
    finally:
        load.stopping.set()
        sender.join(60)
        worker.stop()
    if load.failure is not None:
        raise load.failure
    return rows(looks, told.state_bytes)


def publish_profiles(settings: Settings) -> None:
    """Publish one profile under all names."""
    draw = np.random.default_rng(7)
    reference = profile(
        draw, "fleet", end_ms=round(time.time() * 1000), days=5, resolutions=("5m", "1h", "1d")
    )
    producer = Producer(producer_config(settings.kafka))
    for at in range(DEPLOYMENTS):
        body = replace(reference, deployment=f"fleet-{at}").to_bytes()
        producer.produce(f"{settings.kafka.topic_prefix}profiles", body, f"fleet-{at}/1".encode())
        producer.poll(0.01)
    assert producer.flush(60) == 0, "the broker did not take the profiles"


def watched(load: Load, worker: WorkerProcess, port: int) -> list[tuple[float, float]]:
    """Look at lag (s of the load) and memory (MB) of the steady minute."""
    looks, began = [], time.monotonic()
    while (now := time.monotonic() - began) < WARM_S + STEADY_S:
        time.sleep(LOOK_S)
        if load.failure is not None or not worker.alive:
            raise RuntimeError(f"the load or the worker ended: {load.failure or worker.log}")
        if now < WARM_S:
            continue
        lag = max(0, load.sent - counted(port)) / RATE
        looks.append((lag, psutil.Process(worker.pid).memory_info().rss / MB))
    return looks


def rows(looks: list[tuple[float, float]], cap_bytes: int) -> list[dict[str, Any]]:
    """Give lag and memory of the last third against those of the first."""
    third = len(looks) // 3
    first, last = looks[:third], looks[-third:]
    lag = [median(one[0] for one in part) for part in (first, last)]
    worst = [max(one[0] for one in part) for part in (first, last)]
    memory = [max(one[1] for one in part) for part in (first, last)]
    cap = cap_bytes / MB + PROGRAM_MB
    return [
        {
            "name": f"fleet: {DEPLOYMENTS} deployments, {what}, last 20 s against first",
            "value": round(found[1], 2),
            "unit": "s" if at < 2 else "MB",
            "baseline": round(found[0], 2),
            "ratio": round(found[1] / found[0], 3) if found[0] else None,
            "target": round(limit, 1),
            "reached": found[1] <= limit,
        }
        for at, (what, found, limit) in enumerate(
            [
                ("median lag", lag, lag[0] + LAG_SLACK_S),
                ("greatest lag", worst, worst[0] + LAG_SLACK_S),
                ("memory", memory, cap),
            ]
        )
    ]
