"""What an event costs the thread that serves: the Emitter's calls beside one Avro record and one produce an event.

Every figure is the wall time of single calls in the caller's thread, in µs, less what the timer itself takes, while the
emitter's own thread seals and sends to the same real broker; the calls come in bursts between which both sides may
empty their queues, ours and the baseline's in turn. 25 float features; each dict is made just before its call, as
an application makes it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
from confluent_kafka import Producer

from driftline.agents.emit import Emitter
from driftline.schemas.codec import encode
from driftline.schemas.ids import new_ids
from driftline.schemas.settings import Kafka, Settings, producer_config

NAMES = tuple(f"feature_{at:02}" for at in range(25))
BURST = 5_000
ROUNDS = 9
COLUMN_ROWS = 500
COLUMN_ROUNDS = 4
TARGET_P50_US = 0.6
TARGET_P99_US = 3.0
TARGET_RATIO = 20.0
TOPIC = "predictions"
WAYS = {
    "dict": "dict of 25",
    "row": "numpy row of 25",
    "columns": "columns of 500",
    "nothing": "a method that does nothing",
}


class _Nothing:
    """What the call of a method costs by itself; it is part of every figure."""

    def log(self, features: dict[str, float], score: float | None = None) -> None:
        """Do nothing."""


def run(context: Any) -> list[dict[str, Any]]:
    """Measure against the broker at `context.bootstrap`."""
    settings = Settings(
        kafka=Kafka(bootstrap=context.bootstrap, topic_prefix=f"emit-{uuid.uuid4().hex[:8]}.")
    )
    _make_topics(settings)
    values = np.random.default_rng(25).normal(size=(BURST, len(NAMES)))
    lists, starts = values.tolist(), list(range(0, BURST, COLUMN_ROWS)) * COLUMN_ROUNDS
    timer_us = _timer_us()
    calls: dict[str, list[np.ndarray]] = {name: [] for name in (*WAYS, "produce")}
    producer = Producer(producer_config(settings.kafka))
    with Emitter("bench", "1", settings=settings, features=NAMES) as emitter:
        one_by_one = _produce_one(producer, settings)

        def columns(start: int) -> dict[str, np.ndarray]:
            return {name: values[start : start + COLUMN_ROWS, at] for at, name in enumerate(NAMES)}

        def features(row: list[float]) -> dict[str, float]:
            return dict(zip(NAMES, row, strict=True))

        works: dict[str, tuple[Callable[[Any], object], Callable[[Any], Any], Sequence[Any]]] = {
            "dict": (emitter.log, features, lists),
            "row": (emitter.log, np.array, list(values)),
            "columns": (emitter.log_many, columns, starts),
            "nothing": (_Nothing().log, features, lists),
            "produce": (one_by_one, features, lists),
        }
        for turn in range(ROUNDS + 1):
            for name, (work, make, items) in works.items():
                found = _burst(work, make, items) - timer_us
                if turn:  # the first round warms both sides
                    calls[name].append(found)
                emitter.flush(30)
                producer.flush(30)
        lost = dict(emitter.stats().dropped)
    if lost:
        raise RuntimeError(f"the emitter dropped {lost}: its figures would count calls that did nothing")
    calls["columns"] = [found / COLUMN_ROWS for found in calls["columns"]]
    return _rows(calls)


def _rows(calls: dict[str, list[np.ndarray]]) -> list[dict[str, Any]]:
    """One row a way and percentile, each percentile the median over the rounds."""
    rows: list[dict[str, Any]] = []
    for way, words in WAYS.items():
        for percent in (50, 99):
            pairs = [
                (float(np.percentile(mine, percent)), float(np.percentile(theirs, percent)))
                for mine, theirs in zip(calls[way], calls["produce"], strict=True)
            ]
            value, ratio = median(mine for mine, _ in pairs), median(theirs / mine for mine, theirs in pairs)
            target = {50: TARGET_P50_US, 99: TARGET_P99_US}[percent] if way == "dict" else None
            rows.append(
                {
                    "name": f"emit: {words}, p{percent}",
                    "value": round(value, 3),
                    "unit": "us/event",
                    "baseline": round(median(theirs for _, theirs in pairs), 3),
                    "ratio": round(ratio, 1),
                    "target": target,
                    "reached": None if target is None else value <= target,
                }
            )
    cheaper = dict(rows[0])
    reached = float(cheaper["ratio"]) >= TARGET_RATIO
    rows.insert(
        1, cheaper | {"name": "emit: dict of 25, times cheaper", "target": TARGET_RATIO, "reached": reached}
    )
    return rows


def _produce_one(producer: Producer, settings: Settings) -> Callable[[dict[str, float]], None]:
    """One plain Prediction and one produce: what an application does that sends each event by itself."""
    topic = settings.kafka.topic_prefix + TOPIC

    def one(features: dict[str, float]) -> None:
        now_ms = time.time_ns() // 1_000_000
        record = {
            "deployment": "bench",
            "model_version": "1",
            "id": new_ids(1, now_ms, b"01234567"),
            "time_ms": now_ms,
            "features": features,
        }
        producer.produce(topic, encode("Prediction", record), b"bench")

    return one


def _burst(work: Callable[[Any], object], make: Callable[[Any], Any], items: Sequence[Any]) -> np.ndarray:
    """Wall time of each call, in µs; what it is given is made before the clock starts."""
    times = np.empty(len(items))
    now = time.perf_counter_ns
    for at, item in enumerate(items):
        made = make(item)
        began = now()
        work(made)
        times[at] = now() - began
    return times / 1000


def _timer_us() -> float:
    now = time.perf_counter_ns
    found = []
    for _ in range(20_000):
        began = now()
        found.append(now() - began)
    return median(found) / 1000


def _make_topics(settings: Settings) -> None:
    from driftline.deploy.local.kafka_topics import ensure_topics

    ensure_topics(settings)
