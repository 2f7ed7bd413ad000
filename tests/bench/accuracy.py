"""The accuracy worker: predictions and labels of one worker from real Kafka, against a bare loop with the same join.

Both read the same topics: batches of 500 predictions of 25 features and a score, and a batch of 500 labels for each,
of one deployment a partition. The bare loop decodes and joins the same, takes records as they come, and neither
publishes nor stores anything: it works out the results every 10 s, and throws them away. A row is a prediction or a
label.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
import numpy as np
import psutil
from child import figures
from confluent_kafka import Producer
from loads import ROWS, batch, one_a_partition
from stream import DAY_START_MS, profile_of

from driftline.deploy.local.environment import child_environment
from driftline.deploy.local.kafka_topics import ensure_topics
from driftline.schemas.columns import Identity, LabelColumns, PredictionColumns, pack_labels, pack_predictions
from driftline.schemas.settings import Settings, producer_config

BATCHES: Final = 10_000
"""Of predictions; there are as many of labels."""
READY: Final = 50
LABELLED_MS: Final = 3_600_000
LOOK_S: Final = 0.25
ROUNDS: Final = 3
WITHIN_S: Final = 240.0
STATE_BYTES: Final = 4 << 30
TARGET: Final = 0.45


def run(context: Any) -> list[dict[str, Any]]:
    """Measure; `context.settings` reach a running stack."""
    kafka = msgspec.structs.replace(context.settings.kafka, topic_prefix=f"accuracy{time.time_ns()}.")
    # What is held of the whole load must not be let go half way: the bare loop holds it too.
    worker = msgspec.structs.replace(context.settings.worker, state_bytes=STATE_BYTES)
    settings = msgspec.structs.replace(context.settings, kafka=kafka, worker=worker)
    fill(settings)
    loops, ones = [], []
    for turn in range(ROUNDS):
        loops.append(bare(settings, turn))
        ones.append(accuracy(settings, turn))
    ratio = median(one / loop for one, loop in zip(ones, loops, strict=True))
    return [
        {
            "name": "accuracy: rows a CPU-second",
            "value": round(median(ones)),
            "unit": "rows/CPU s",
            "baseline": round(median(loops)),
            "ratio": round(ratio, 3),
            "target": TARGET,
            "reached": ratio >= TARGET,
        }
    ]


def fill(settings: Settings) -> None:
    """Publish a profile for each deployment, and batches of predictions, each followed by its labels."""
    ensure_topics(settings)
    prefix, draw = settings.kafka.topic_prefix, np.random.default_rng(5)
    names = one_a_partition(settings, "bench")
    producer = Producer(producer_config(settings.kafka, queue_buffering_max_kbytes=1 << 20, linger_ms=50))
    ready: dict[str, list[PredictionColumns]] = {}
    for name in names:
        producer.produce(f"{prefix}profiles", profile_of(draw, name).to_bytes(), f"{name}/1".encode())
        ready[name] = [
            batch(draw, name, 0, DAY_START_MS + at * 1_000 + np.arange(ROWS, dtype=np.int64))
            for at in range(READY)
        ]
    for number in range(BATCHES):
        name, seq = names[number % len(names)], number // len(names)
        said = ready[name][seq % READY]
        said.identity = Identity(f"bench-{name}", 1, seq)
        said.ids = draw.integers(0, 256, (ROWS, 16), dtype=np.uint8)
        truth = draw.integers(0, 2, ROWS).astype(np.float64)
        known = said.times_ms + LABELLED_MS
        told = LabelColumns(
            name, ROWS, Identity(f"bench-{name}", 1, seq), said.ids, None, known, numbers=truth
        )
        for topic, value in (("predictions", pack_predictions(said)), ("labels", pack_labels(told))):
            producer.produce(prefix + topic, value, name.encode())
        producer.poll(0)
    assert producer.flush(120) == 0, "the broker did not take the load"


def bare(settings: Settings, turn: int) -> float:
    """Run the bare loop in a process of its own: rows a CPU-second."""
    found = figures("bare_join.py", [str(turn)], child_environment(settings))
    assert found["joined"] == BATCHES * ROWS, f"the bare loop joined {found['joined']} labels"
    return float(found["rows"] / found["cpu"])


def accuracy(settings: Settings, turn: int) -> float:
    """Run one worker over both topics: rows a CPU-second of it, from its first rows to the publication of its last."""
    command = [sys.executable, str(Path(__file__).with_name("accuracy_again.py")), str(turn)]
    member = subprocess.Popen(command, env=child_environment(settings), stdout=subprocess.PIPE, text=True)
    try:
        assert member.stdout is not None
        port = int(json.loads(member.stdout.readline())["port"])
        process, total = psutil.Process(member.pid), 2 * BATCHES * ROWS

        def look() -> tuple[int, float]:
            return counted(port), sum(process.cpu_times()[:2])

        deadline = time.monotonic() + WITHIN_S
        first = look()
        while not first[0] and time.monotonic() < deadline:
            time.sleep(LOOK_S)
            first = look()
        last = first
        while last[0] < total and time.monotonic() < deadline:
            time.sleep(LOOK_S)
            last = look()
        # The publication of the last rows is work too, as it is for the bare loop; until it is due the worker rests.
        before = published(port)
        while published(port) == before and time.monotonic() < deadline:
            time.sleep(LOOK_S)
        used = float(sum(process.cpu_times()[:2]))
    finally:
        member.terminate()
        member.wait(30)
    assert last[0] == total, f"the worker read {last[0]} of {total} rows in time"
    rows = last[0] - first[0]
    return rows / (used - first[1])


def counted(port: int) -> int:
    """Ask a worker how many rows it has read."""
    return int(total_of(port, "driftline_accuracy_rows_total"))


def published(port: int) -> int:
    """Ask a worker how often it has published, to the acknowledgement of the state."""
    return int(total_of(port, "driftline_accuracy_publish_seconds_count"))


def total_of(port: int, metric: str) -> float:
    """Add a counter up over its labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(metric))
