"""Labels that nobody can use, among good ones, on the real Kafka: refused or counted, and nothing stalls (P7, P9)."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import msgspec
import numpy as np
import psutil
import pytest
from archiving import rows_of, send
from counting import batch, profile_of
from rig import Crew

from driftline.deploy.local.kafka_topics import admin_client
from driftline.deploy.local.lag import lags
from driftline.deploy.tables.shelf import publish
from driftline.schemas import codec
from driftline.schemas.columns import (
    Category,
    LabelColumns,
    NumericBlock,
    PredictionColumns,
    pack_labels,
    pack_predictions,
)
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse import reads

DAY_MS = 86_400_000
ROWS = 20_000
ODD = 10
FLOOD = 34
MEMORY_BYTES = 600_000_000


@pytest.fixture
def tuned(lane: Settings) -> Settings:
    """Settings of a lane that publishes every second."""
    worker = msgspec.structs.replace(lane.worker, publish_seconds=1.0)
    return msgspec.structs.replace(lane, worker=worker)


def labels(deployment: str, ids: np.ndarray, known_ms: int, **columns: object) -> LabelColumns:
    """A batch of labels that all became known at once; numbers 1 unless other columns are given."""
    rows = len(ids)
    cols = LabelColumns(deployment, rows, None, ids, None, np.full(rows, known_ms, np.int64))
    cols.numbers = np.ones(rows)
    for name, value in columns.items():
        setattr(cols, name, value)
    return cols


def broken(good: bytes, **fields: object) -> bytes:
    """A batch of labels some of whose fields are written as told."""
    _, record = codec.decode(good)
    return codec.encode("LabelBatch", {**record, **fields})


def test_bad_labels_cost_nothing_but_themselves(tuned: Settings, crew: Crew) -> None:
    """Good labels all count beside seven kinds of bad ones, a million for one id, and a segment of 20,000 values."""
    draw = np.random.default_rng(3)
    now_ms = time.time_ns() // 1_000_000
    start = (now_ms // DAY_MS - 1) * DAY_MS
    ids = draw.integers(0, 256, (ROWS, 16), dtype=np.uint8)
    segment = Category(
        "customer", tuple(f"customer {at}" for at in range(ROWS)), np.arange(ROWS, dtype=np.int32)
    )
    said = PredictionColumns(
        "churn", "1", "champion", ROWS, None, ids, None, np.full(ROWS, start, np.int64),
        scores=[NumericBlock(("score",), np.full((1, ROWS), 0.9, np.float32))], segments=[segment],
    )  # fmt: skip
    reference = batch({"x": range(500)}, scores={"score": draw.random(500)}, dtype="float32")
    publish(tuned, replace(profile_of(reference, provenance="held-out", has_times=False), deployment="churn"))
    crew.keep("accuracy", 1)
    crew.keep("archive", 1)

    good = pack_labels(labels("churn", ids[ODD:], now_ms))
    odd = Category("class", ("maybe", ""), (np.arange(ODD) % 2).astype(np.int32))
    letters = {
        b"no avro": "bad_magic",
        good[:-5]: "bad_bytes",
        pack_predictions(said): "unsupported_type",
        pack_labels(labels("churn", ids[:3], now_ms + DAY_MS)): "future",
        broken(good, ids=b"\0" * (16 * 7 - 3)): "bad_shape",
        broken(good, numbers=None): "impossible_value",
        pack_labels(labels("other", ids[:3], now_ms)): "wrong_key",
    }  # fmt: skip
    send(tuned, "predictions", (b"churn", pack_predictions(said)))
    send(tuned, "labels", *((b"churn", value) for value in letters))
    send(tuned, "labels", (b"nobody", pack_labels(labels("nobody", ids[:500], now_ms))))
    one = np.repeat(ids[-1:], 30_000, axis=0)
    flood = pack_labels(labels("churn", one, now_ms, numbers=np.zeros(30_000)))
    send(tuned, "labels", *[(b"churn", flood)] * FLOOD)
    send(
        tuned,
        "labels",
        (b"churn", pack_labels(labels("churn", ids[:ODD], now_ms, numbers=None, classes=odd))),
    )
    send(tuned, "labels", (b"churn", good))

    def counted() -> bool:
        chosen = reads.WindowFilter(resolution="1d", role="accuracy", metric="accuracy")
        found = reads.windows(tuned, "churn", chosen)
        # All say 1 and the score says 1; the last of one id's labels is that of the good batch.
        return any(
            (row["labels"], row["rows"], row["value"], row["window_rows"]) == (ROWS, ROWS - ODD, 1.0, ROWS)
            for row in found
        )

    def letter_reasons() -> Counter[str]:
        return Counter(row["reason"] for row in rows_of(tuned, "SELECT reason FROM dead_letters_now"))

    try:
        reads.wait_until(counted, seconds=90, what="every good label counted")
        reads.wait_until(
            lambda: letter_reasons() == Counter(letters.values()), seconds=180, what="every dead letter"
        )
        behind = lambda: sum(one.lag for one in lags(tuned, admin_client(tuned), ["accuracy", "archive"]))  # noqa: E731
        reads.wait_until(lambda: behind() == 0, seconds=180, what="no lag")
    except Exception as late:
        raise AssertionError(f"{late}\n{letter_reasons()}\n{crew.tails()}") from late
    (worker,) = crew.alive("accuracy")
    assert psutil.Process(worker.pid).memory_info().rss < MEMORY_BYTES
    assert rows_of(tuned, "SELECT count() AS n FROM labels WHERE deployment = 'nobody'") == [{"n": 500}]
