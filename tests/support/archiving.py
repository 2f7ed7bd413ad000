"""An archive in a thread of the test's process, and what tests send to it and ask of its tables."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
from confluent_kafka import Producer
from in_thread import in_thread
from prometheus_client import CollectorRegistry

from driftline.deploy.control.forgetting import Following
from driftline.schemas.columns import Category, Gap, Identity, NumericBlock, PredictionColumns
from driftline.schemas.settings import Settings, producer_config
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.client import Client
from driftline.streams.metrics import ArchiveMetrics
from driftline.streams.processors import archive

NOW_MS = 1_750_000_000_000


def archiving(settings: Settings) -> AbstractContextManager[CollectorRegistry]:
    """Run an archive in a thread of this process, as `driftline worker archive` starts it; gives its metrics."""
    follow = partial(Following, settings) if settings.control.genesis else None
    return in_thread(partial(archive.run, follow=follow), settings, ArchiveMetrics)


def send(
    settings: Settings, topic: str, *records: tuple[bytes | None, bytes], partition: int | None = None
) -> None:
    """Send records of (key, value) and wait for their acknowledgement."""
    producer = Producer(producer_config(settings.kafka))
    for key, value in records:
        where = {} if partition is None else {"partition": partition}
        producer.produce(settings.kafka.topic_prefix + topic, value, key, **where)
    assert producer.flush(180) == 0


def rows_of(settings: Settings, sql: str) -> list[dict[str, Any]]:
    """Run a query."""
    with Client(settings.clickhouse) as client:
        return client.query(sql)


def wait_for(settings: Settings, table: str, count: int) -> None:
    """Wait until a table has so many rows."""
    reads.wait_until(
        lambda: rows_of(settings, f"SELECT count() AS n FROM {table}")[0]["n"] >= count,
        seconds=180,
        what=f"{count} rows of {table}",
    )


def batch(seq: int = 0, deployment: str = "churn", **over: Any) -> PredictionColumns:
    """A batch of three rows with every kind of column."""
    given: dict[str, Any] = {
        "deployment": deployment,
        "model_version": "7",
        "slot": "champion",
        "rows": 3,
        "identity": Identity("here", 1, seq),
        "ids": np.frombuffer(os.urandom(48), np.uint8).reshape(3, 16),
        "original_ids": ["a", None, "c"],
        "times_ms": np.array([0, NOW_MS, NOW_MS + 1], np.int64),
        "features": [
            NumericBlock(("temp", "wind"), np.array([[0.1, np.nan, np.inf], [1, 2, np.nan]], np.float32)),
            NumericBlock(("big",), np.array([[2**53 - 1, 0.1, -0.0]])),
        ],
        "categories": [Category("carrier", ("AA", "ÜA"), np.array([1, -1, 0], np.int32))],
        "gaps": [
            Gap("wind", np.array([False, False, True]), None),
            Gap("carrier", None, np.array([False, True, False])),
        ],
        "scores": [NumericBlock(("score",), np.array([[0.5, 0.25, np.nan]], np.float32))],
        "predicted": Category("predicted", ("yes",), np.array([0, -1, 0], np.int32)),
        "segments": [Category("country", ("fr",), np.array([0, 0, -1], np.int32))],
        "latency_ms": np.array([1.5, np.nan, 2], np.float32),
        "status": Category("status", ("ok",), np.array([0, 0, 0], np.int32)),
    }
    return PredictionColumns(**{**given, **over})
