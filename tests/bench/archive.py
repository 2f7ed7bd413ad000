"""The archive: rows a second from real Kafka into ClickHouse, against inserting the same columns made ready before.

The baseline sends Arrow bytes that were built beforehand into a table of the same columns, one block after the other
over one connection: no Kafka, no decoding, no look-up table, no books. The archive runs as the process that
`driftline worker archive` is, and is measured between its first and its last block by ClickHouse's own clock.
"""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
from confluent_kafka import Producer

from driftline.deploy.local.environment import child_environment
from driftline.deploy.local.lane import open_lane
from driftline.schemas.columns import (
    Category,
    Identity,
    NumericBlock,
    PredictionColumns,
    pack_predictions,
    read_predictions,
)
from driftline.schemas.partition import partition_of
from driftline.schemas.settings import producer_config
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.client import INSERT_SETTINGS, Client
from driftline.streams.clickhouse.prediction_rows import prediction_rows
from driftline.streams.clickhouse.source import Source

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings

ROWS = 500
MESSAGES = 6_000
ROUNDS = 3
TARGET = 0.5
NUMERIC = tuple(f"n{i:02}" for i in range(20))
LEVELS = tuple(f"level-{i}" for i in range(12))
DAY_MS = 1_750_032_000_000


def batch(draw: np.random.Generator, deployment: str, seq: int) -> PredictionColumns:
    """Make a sealed batch of 20 numeric and 5 categorical features."""
    return PredictionColumns(
        deployment=deployment,
        model_version="1",
        slot="champion",
        rows=ROWS,
        identity=Identity(f"bench-{deployment}", 1, seq),
        ids=draw.integers(0, 256, (ROWS, 16), dtype=np.uint8),
        original_ids=None,
        times_ms=times_of(seq),
        features=[
            NumericBlock(NUMERIC, np.round(draw.normal(size=(len(NUMERIC), ROWS)), 3).astype(np.float32))
        ],
        categories=[
            Category(f"c{i}", LEVELS, draw.integers(0, len(LEVELS), ROWS).astype(np.int32)) for i in range(5)
        ],
        gaps=[],
        scores=[NumericBlock(("score",), draw.random((1, ROWS), dtype=np.float32))],
    )


def times_of(seq: int) -> np.ndarray:
    """Event times of a batch, ms: a second of its own, as of live events, so that merges see what they see in life."""
    return DAY_MS + seq * 1_000 + np.arange(0, 1_000, 1_000 // ROWS, dtype=np.int64)


def messages(settings: Settings) -> list[tuple[bytes, bytes]]:
    """Make (key, value) of every message, spread evenly over the partitions."""
    draw = np.random.default_rng(3)
    names: dict[int, str] = {}
    number = 0
    while len(names) < settings.kafka.partitions:
        names.setdefault(
            partition_of(f"bench-{number}".encode(), settings.kafka.partitions), f"bench-{number}"
        )
        number += 1
    ready = {name: [batch(draw, name, seq) for seq in range(50)] for name in names.values()}
    made = []
    for at in range(MESSAGES):
        name = names[at % len(names)]
        seq = at // len(names)
        one = ready[name][seq % 50]
        one.identity, one.times_ms = Identity(f"bench-{name}", 1, seq), times_of(seq)
        made.append((name.encode(), pack_predictions(one)))
    return made


def send(settings: Settings, made: list[tuple[bytes, bytes]]) -> None:
    """Fill the topic."""
    producer = Producer(producer_config(settings.kafka, queue_buffering_max_kbytes=1 << 20, linger_ms=50))
    for key, value in made:
        producer.produce(f"{settings.kafka.topic_prefix}predictions", value, key)
        producer.poll(0)
    assert producer.flush(120) == 0, "the broker did not take the load"


def bodies(settings: Settings, made: list[tuple[bytes, bytes]]) -> list[tuple[list[str], bytes]]:
    """Make the blocks of the baseline ready: column names and Arrow bytes."""
    a_block = settings.archive.block_rows // ROWS
    ready = []
    for start in range(0, len(made), a_block):
        columns = [read_predictions(value) for _, value in made[start : start + a_block]]
        count = len(columns)
        # Arrived now: rows that retention would remove at once would make the insert slower.
        where = Source(0, range(start, start + count), [round(time.time() * 1000)] * count, [ROWS] * count)
        table = prediction_rows(columns, where)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        ready.append((table.column_names, sink.getvalue().to_pybytes()))
    return ready


def prepared(settings: Settings, ready: list[tuple[list[str], bytes]]) -> float:
    """Insert what was made ready; rows a second."""
    with Client(settings.clickhouse) as client:
        client.query("SELECT 1")
        driver = client._open()  # the same connection, without what the client does for each insert
        began = time.perf_counter()
        for number, (names, body) in enumerate(ready):
            token = f"bench-{number}"
            driver.raw_insert(
                "predictions",
                column_names=names,
                insert_block=body,
                settings={**INSERT_SETTINGS, "insert_deduplication_token": token},
                fmt="ArrowStream",
            )
        took = time.perf_counter() - began
        found = client.query("SELECT count() AS rows FROM predictions")[0]["rows"]
    assert found == MESSAGES * ROWS, f"{found} of {MESSAGES * ROWS} rows were inserted"
    return MESSAGES * ROWS / took


def archived(settings: Settings) -> float:
    """Run one archive worker over the whole topic; rows a second between its first and its last block."""
    command = [sys.executable, "-m", "driftline.deploy.cli", "worker", "archive"]
    worker = subprocess.Popen(command, env=child_environment(settings), stderr=subprocess.DEVNULL)
    try:
        # The book of blocks has a row a block: asking it costs the server nothing.
        reads.wait_until(lambda: _stored(settings) >= MESSAGES * ROWS, seconds=180, what="the whole load")
    finally:
        worker.terminate()
        worker.wait(30)
    with Client(settings.clickhouse) as client:
        found = client.query(
            "SELECT sum(rows) - argMin(rows, written_at) AS stored, "
            "(toUnixTimestamp64Milli(max(written_at)) - toUnixTimestamp64Milli(min(written_at))) / 1000 AS took "
            "FROM blocks WHERE topic = 'predictions' AND rows > 0"
        )[0]
    return float(found["stored"]) / float(found["took"])


def _stored(settings: Settings) -> int:
    time.sleep(0.5)
    with Client(settings.clickhouse) as client:
        return int(
            client.query("SELECT sum(rows) AS stored FROM blocks WHERE topic = 'predictions'")[0]["stored"]
        )


def run(context: Any) -> list[dict[str, Any]]:
    """Measure; `context.settings` reach a running stack."""
    base: Settings = context.settings
    made = messages(base)
    ready = bodies(base, made)
    values, baselines = [], []
    for _ in range(ROUNDS):
        empty = open_lane(base, f"bench{uuid.uuid4().hex[:8]}")
        baselines.append(prepared(empty, ready))
        lane = open_lane(base, f"bench{uuid.uuid4().hex[:8]}")
        send(lane, made)
        values.append(archived(msgspec.structs.replace(lane, worker=base.worker)))
        for used in (empty, lane):
            with Client(base.clickhouse, database="default") as client:
                client.command(f"DROP DATABASE {used.clickhouse.database}")
    ratios = [value / baseline for value, baseline in zip(values, baselines, strict=True)]
    return [
        {
            "name": "archive: rows into ClickHouse",
            "value": round(median(values)),
            "unit": "rows/s",
            "baseline": round(median(baselines)),
            "ratio": round(median(ratios), 3),
            "target": TARGET,
            "reached": median(ratios) >= TARGET,
        }
    ]
