"""What a million events cost, by features: processor time of each part, and bytes in Kafka and in ClickHouse.

Predictions of 5, 25 and 100 numeric features (normal values to three digits, which compress as little as real ones) and
a score, in batches of 500, one label for each of them, four deployments with a profile each; `worker drift`, `accuracy`
and `archive` as processes on a real Kafka and a real ClickHouse. Processor time is the slope between two looks, the
first after a fifth of the load is stored and counted, so that starting and compiling stay out of it; bytes are those on
disk at the end, tables merged. Nothing is judged: `driftline plan` reckons with these figures
(deploy/plan/costs.py), and a test holds them to docs/benchmarks.md.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psutil
from confluent_kafka import Producer
from loads import ROWS, one_a_partition

from driftline.deploy.local.lane import open_lane
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
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.reads import wait_until
from driftline.streams.windows.profiling import build_profile

if TYPE_CHECKING:
    from driftline.deploy.local.stack import Stack

LOADS: Final = {5: 2_000, 25: 2_000, 100: 600}
"""Features -> batches of predictions."""
ROLES: Final = ("drift", "accuracy", "archive")
WITHIN_S: Final = 240.0
MB: Final = 1_000_000
SPAN_MS: Final = 3_600_000
COUNTED: Final = {
    "predictions": "SELECT count() AS n FROM predictions",
    "labels": "SELECT count() AS n FROM labels",
    "drift": "SELECT sum(rows) AS n FROM windows_now WHERE resolution = '1d' AND role = ''",
    "accuracy": "SELECT sum(labels) AS n FROM windows_now WHERE resolution = '1d' AND role = 'accuracy'",
}


def predictions(
    draw: np.random.Generator, name: str, seq: int, features: int, at_ms: int
) -> PredictionColumns:
    """A batch of an hour's events, the sequence number says of which part of it."""
    numbers = np.round(draw.normal(size=(features, ROWS)), 3).astype(np.float32)
    scores = [NumericBlock(("score",), draw.random((1, ROWS), dtype=np.float32))]
    times = at_ms - SPAN_MS + seq * 1_000 + np.arange(ROWS, dtype=np.int64)
    ids = draw.integers(0, 256, (ROWS, 16), dtype=np.uint8)
    names = tuple(f"feature_{at:03}" for at in range(features))
    return PredictionColumns(
        name, "1", "champion", ROWS, Identity(name, 1, seq), ids, None, times,
        features=[NumericBlock(names, numbers)], scores=scores,
    )  # fmt: skip


def labels(draw: np.random.Generator, said: PredictionColumns, seq: int) -> LabelColumns:
    """The label of each prediction, known a second later."""
    truth = draw.integers(0, 2, ROWS).astype(np.float64)
    of = Identity(f"{said.deployment}-labels", 1, seq)
    return LabelColumns(said.deployment, ROWS, of, said.ids, None, said.times_ms + 1_000, numbers=truth)


def publish(settings: Settings, names: list[str], features: int, at_ms: int) -> None:
    """Publish a profile for each deployment."""
    draw = np.random.default_rng(1)
    producer = Producer(producer_config(settings.kafka))
    for name in names:
        reference = [predictions(draw, name, seq, features, at_ms - 86_400_000) for seq in range(20)]
        body = build_profile(
            reference, rng=draw, created_at_ms=0, provenance="held-out", resolutions=("5m", "1h", "1d")
        ).to_bytes()
        producer.produce(f"{settings.kafka.topic_prefix}profiles", body, f"{name}/1".encode())
    assert producer.flush(60) == 0, "the broker did not take the profiles"


def send(settings: Settings, names: list[str], features: int, batches: range, at_ms: int) -> None:
    """Send batches of predictions, and the labels of each."""
    draw = np.random.default_rng(batches.start)
    producer = Producer(producer_config(settings.kafka, linger_ms=50))
    for number in batches:
        name, seq = names[number % len(names)], number // len(names)
        said = predictions(draw, name, seq, features, at_ms)
        for topic, body in (
            ("predictions", pack_predictions(said)),
            ("labels", pack_labels(labels(draw, said, seq))),
        ):
            producer.produce(f"{settings.kafka.topic_prefix}{topic}", body, name.encode())
        producer.poll(0)
    assert producer.flush(120) == 0, "the broker did not take the load"


def stored(client: Client, rows: int) -> bool:
    """Say whether all rows are stored and counted in windows."""
    time.sleep(0.5)
    return all(int(client.query(asked)[0]["n"] or 0) >= rows for asked in COUNTED.values())


def measured(stack: Stack, folder: Path, features: int, batches: int) -> dict[str, float]:
    """Run one load; figures by name, bytes and CPU seconds a million events."""
    settings = open_lane(stack.settings, f"cost{features}x{time.time_ns()}")
    names, at_ms = one_a_partition(settings, "cost"), round(time.time() * 1000)
    publish(settings, names, features, at_ms)
    first = batches // 5
    with ExitStack() as held, Client(settings.clickhouse) as client:
        parts = {part.name: part.pid for part in stack.components if part.name in {"kafka", "clickhouse"}}
        for role in ROLES:
            process = WorkerProcess(role, settings, log=folder / f"cost-{role}.log", cwd=folder)
            process.begin()
            held.callback(process.stop)
            parts[role] = process.pid
        looks = []
        for part in (range(first), range(first, batches)):
            send(settings, names, features, part, at_ms)
            wait_until(partial(stored, client, part.stop * ROWS), seconds=WITHIN_S, what="rows and windows")
            looks.append({name: _cpu(pid) for name, pid in parts.items()})
        events = (batches - first) * ROWS / 1e6
        found = {f"{name}, processor": (looks[1][name] - looks[0][name]) / events for name in parts}
        for role in ROLES:
            found[f"{role}, memory"] = psutil.Process(parts[role]).memory_info().rss / MB
    with Client(settings.clickhouse) as client:
        found |= _bytes(settings, client, batches * ROWS)
        client.command(f"DROP DATABASE {settings.clickhouse.database}")
    return found


def _cpu(pid: int | None) -> float:
    assert pid is not None, "a part has no process"
    used = psutil.Process(pid).cpu_times()
    return float(used.user + used.system)


def _bytes(settings: Settings, client: Client, rows: int) -> dict[str, float]:
    """Bytes a row on disk: of logs, of merged tables; and of one publication of a window."""
    data = Path(settings.local.data_dir)
    log = {
        topic: sum(
            file.stat().st_size for file in data.rglob(f"{settings.kafka.topic_prefix}{topic}-*/*.log")
        )
        for topic in ("predictions", "labels", "windows")
    }
    tables = {}
    for table in ("predictions", "prediction_lookup", "labels", "windows"):
        client.command(f"OPTIMIZE TABLE {table} FINAL")
        tables[table] = client.query(
            "SELECT sum(bytes_on_disk) AS size, sum(rows) AS held FROM system.parts "
            f"WHERE active AND database = currentDatabase() AND table = '{table}'"
        )[0]
    said = client.query("SELECT max(src_offset) + 1 AS n FROM windows GROUP BY deployment")
    published = sum(int(row["n"]) for row in said)
    return {
        "a prediction in Kafka": log["predictions"] / rows,
        "a label in Kafka": log["labels"] / rows,
        "a published window in Kafka": log["windows"] / published,
        "a prediction in ClickHouse": tables["predictions"]["size"] / rows,
        "its place in the look-up": tables["prediction_lookup"]["size"] / rows,
        "a label in ClickHouse": tables["labels"]["size"] / rows,
        "a window in ClickHouse": tables["windows"]["size"] / tables["windows"]["held"],
    }


def run(context: Any) -> list[dict[str, Any]]:
    """Measure; `context.stack` is a running stack."""
    rows = []
    for features, batches in LOADS.items():
        for name, value in measured(context.stack, context.folder, features, batches).items():
            unit = "bytes"
            if "processor" in name:
                unit = "CPU s a million"
            elif "memory" in name:
                unit = "MB"
            rows.append(
                {"name": f"cost: {features} features, {name}", "value": round(value, 2), "unit": unit}
            )
    return rows
