"""Freshness: from an application's `log_many` to its rows in ClickHouse, at about a tenth of what a drift worker does.

Four applications (one a partition) log 500 rows of 25 features 25 times a second each for 20 seconds: 50,000 events a
second, through Kafka, with `worker drift` and `worker archive` as processes. A fifth logs single events with `log`, as
a serving application does, and waits for the linger of its batches. ClickHouse is asked 20 times a second how many rows
it has of each; a call's freshness ends with the first answer that holds all its rows, so up to 50 ms of it are the
asking. Rows of a deployment come in their order, and none may be missing or dropped.

The baseline is a lower bound that keeps no promise: one record produced and acknowledged, one row inserted into a table
of its own, visible to a query; one at a time, half of them before the load and half after it.

Also told, without a target: how long until a published window of 5 minutes has absorbed the rows. Open windows are
published every 10 seconds (`worker.publish_seconds`), which is most of it.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from loads import CATEGORICAL, LEVELS, NUMERIC, ROWS, one_a_partition, profile
from watch import Watch

from driftline.agents.emit import Emitter
from driftline.deploy.local.lane import open_lane
from driftline.deploy.local.worker import WorkerProcess
from driftline.schemas.settings import Settings, kafka_config, producer_config
from driftline.streams.clickhouse.client import Client

if TYPE_CHECKING:
    from pathlib import Path

SECONDS: Final = 20.0
CALLS_A_SECOND: Final = 25
SINGLES_A_CALL: Final = 2
SINGLES: Final = "single"
BASELINES: Final = 40
BASELINE_TOPIC: Final = "baseline"
ASK_S: Final = 0.05
ASK_WINDOWS_S: Final = 0.25
TARGET_S: Final = 5.0
TABLES: Final = {
    "rows": "SELECT deployment, count() AS n FROM predictions GROUP BY deployment",
    "windows": "SELECT deployment, sum(rows) AS n FROM windows_now WHERE resolution = '5m' GROUP BY deployment",
}


def run(context: Any) -> list[dict[str, Any]]:
    """Measure; `context.settings` reach a running stack."""
    settings = open_lane(context.settings, f"fresh{time.time_ns()}")
    names = one_a_partition(settings, "fresh")
    publish(settings, [*names, SINGLES])
    topic = settings.kafka.topic_prefix + BASELINE_TOPIC
    admin = AdminClient(kafka_config(settings.kafka))
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)
    logs: Path = context.folder
    with ExitStack() as held:
        for role in ("archive", "drift"):
            process = WorkerProcess(role, settings, log=logs / f"freshness-{role}.log", cwd=logs)
            process.begin()
            held.callback(process.stop)
        watches = {
            "rows": Watch(settings, TABLES["rows"], ASK_S),
            "windows": Watch(settings, TABLES["windows"], ASK_WINDOWS_S),
        }
        for watch in watches.values():
            thread = threading.Thread(target=watch.run, daemon=True)
            thread.start()
            held.callback(thread.join, 10.0)
            held.callback(watch.stop)
        emitters = {
            name: held.enter_context(Emitter(name, "1", settings=settings)) for name in [*names, SINGLES]
        }
        sent = warm_up(emitters, watches)
        before = baseline(settings, BASELINES // 2)
        measured, took = load(emitters, sent)
        arrived(emitters)
        wanted = {name: calls[-1][1] for name, calls in measured.items()}
        watches["rows"].wait_for(wanted, "table predictions")
        after = baseline(settings, BASELINES - BASELINES // 2)
        watches["windows"].wait_for(wanted, "view windows_now")
    if took > SECONDS * 1.2:
        print(f"   the load took {took:.0f} s instead of {SECONDS:g}: this machine is busy", flush=True)
    rate = 1_000 * round(
        sum(len(calls) for name, calls in measured.items() if name != SINGLES) * ROWS / took / 1_000
    )
    singles = {SINGLES: measured.pop(SINGLES)}
    least = np.array([*before, *after])
    return [
        *rows("row, log_many", watches["rows"].ages(measured), rate, least, TARGET_S),
        *rows("row, log", watches["rows"].ages(singles), rate, least, TARGET_S),
        *rows("window of 5 minutes", watches["windows"].ages(measured), rate, None, None),
    ]


def publish(settings: Settings, names: list[str]) -> None:
    """Publish a profile for each deployment."""
    producer = Producer(producer_config(settings.kafka))
    draw, now_ms = np.random.default_rng(7), time.time_ns() // 1_000_000
    for name in names:
        body = profile(draw, name, end_ms=now_ms, days=20, resolutions=("5m", "1h", "1d")).to_bytes()
        producer.produce(f"{settings.kafka.topic_prefix}profiles", body, f"{name}/1".encode())
    if producer.flush(30):
        raise RuntimeError("the broker did not take the profiles within 30 s: see kafka.log of the stack")


def columns(draw: np.random.Generator) -> dict[str, Any]:
    """Make the columns of one call: 20 numbers and 5 categories, 500 rows."""
    made: dict[str, Any] = {name: draw.normal(size=ROWS).astype(np.float32) for name in NUMERIC}
    levels = np.array(LEVELS)
    return made | {name: levels[draw.integers(0, len(LEVELS), ROWS)] for name in CATEGORICAL}


def warm_up(emitters: dict[str, Emitter], watches: dict[str, Watch]) -> dict[str, int]:
    """Send a batch through every partition and wait for it, so that no start is measured; rows sent by deployment."""
    draw = np.random.default_rng(8)
    for emitter in emitters.values():
        emitter.log_many(columns(draw), draw.random(ROWS))
    sent = dict.fromkeys(emitters, ROWS)
    for what, watch in watches.items():
        watch.wait_for(sent, what)
    return sent


def load(
    emitters: dict[str, Emitter], sent: dict[str, int]
) -> tuple[dict[str, list[tuple[float, int]]], float]:
    """Log at a steady rate.

    Returns:
        By deployment the time of each call and the rows logged up to and with it; and the seconds that all took.
    """
    draw = np.random.default_rng(9)
    ready = [(columns(draw), draw.random(ROWS)) for _ in range(20)]
    single = dict.fromkeys(NUMERIC, 0.5) | dict.fromkeys(CATEGORICAL, LEVELS[0])
    calls: dict[str, list[tuple[float, int]]] = {name: [] for name in emitters}
    began = time.monotonic()
    for turn in range(round(SECONDS * CALLS_A_SECOND)):
        time.sleep(max(0.0, began + turn / CALLS_A_SECOND - time.monotonic()))
        for name, emitter in emitters.items():
            at = time.monotonic()
            if name == SINGLES:
                for _ in range(SINGLES_A_CALL):
                    emitter.log(single, 0.5, latency_ms=2.0)
                sent[name] += SINGLES_A_CALL
            else:
                emitter.log_many(*ready[turn % len(ready)])
                sent[name] += ROWS
            calls[name].append((at, sent[name]))
    return calls, time.monotonic() - began


def arrived(emitters: dict[str, Emitter]) -> None:
    """Wait until Kafka has everything; what was dropped would make every figure wrong."""
    for name, emitter in emitters.items():
        if not emitter.flush(30.0) or emitter.stats().dropped:
            raise RuntimeError(f"the emitter of {name!r} could not deliver all: {emitter.stats()}")


def baseline(settings: Settings, count: int) -> list[float]:
    """Produce one record, insert one row and see it, again and again; seconds each."""
    producer = Producer(producer_config(settings.kafka, linger_ms=0))
    topic = settings.kafka.topic_prefix + BASELINE_TOPIC
    took = []
    with Client(settings.clickhouse) as client:
        client.command(
            "CREATE TABLE IF NOT EXISTS freshness (number Int64) ENGINE = MergeTree ORDER BY number"
        )
        start = int(client.query("SELECT count() AS n FROM freshness")[0]["n"])
        for number in range(start, start + 1 + count):
            began = time.monotonic()
            producer.produce(topic, b"", b"baseline")
            producer.flush(10)
            client.insert("freshness", pa.table({"number": pa.array([number])}), f"baseline-{number}")
            while int(client.query("SELECT count() AS n FROM freshness")[0]["n"]) <= number:
                time.sleep(0.001)
            took.append(time.monotonic() - began)
    return took[1:]  # the first one also opens the connections


def rows(
    what: str, ages: np.ndarray, rate: int, least: np.ndarray | None, target: float | None
) -> list[dict[str, Any]]:
    """Give p50 and p99 of some ages; the target is of p99."""
    made = []
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        value = float(np.quantile(ages, share, method="higher"))
        bound = None if least is None else float(np.quantile(least, share, method="higher"))
        judged = target if name == "p99" else None
        made.append(
            {
                "name": f"freshness: {what}, {name}",
                "value": round(value, 3),
                "unit": f"s at {rate:,}/s",
                "baseline": None if bound is None else round(bound, 4),
                "ratio": None if bound is None else round(value / bound, 1),
                "target": judged,
                "reached": None if judged is None else value <= judged,
            }
        )
    return made
