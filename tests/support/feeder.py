"""A seeded flood of sealed batches, with duplicates, late rows and, if asked, rubbish among them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence

import numpy as np
from confluent_kafka import Producer

from driftline.schemas.columns import Category, Identity, NumericBlock, PredictionColumns, pack_predictions
from driftline.schemas.settings import Settings, producer_config
from driftline.streams.windows.layout import Layout
from driftline.streams.windows.profiling import build_profile

FEATURES = ("age", "income", "debt", "tenure")
LEVELS = ("red", "green", "blue")
BASE_MS = 1_750_000_000_000


def make_batch(
    rng: random.Random, deployment: str, seal: Identity | None, times_ms: np.ndarray
) -> PredictionColumns:
    """Make a batch with four numeric features, a categorical one and a score."""
    rows = len(times_ms)
    draw = np.random.default_rng(rng.getrandbits(32))
    return PredictionColumns(
        deployment=deployment,
        model_version="1",
        slot="champion",
        rows=rows,
        identity=seal,
        ids=draw.integers(0, 256, (rows, 16), dtype=np.uint8),
        original_ids=None,
        times_ms=times_ms,
        features=[NumericBlock(FEATURES, draw.normal(size=(len(FEATURES), rows)).astype(np.float32))],
        categories=[Category("colour", LEVELS, draw.integers(-1, len(LEVELS), rows).astype(np.int32))],
        gaps=[],
        scores=[NumericBlock(("score",), draw.random((1, rows), dtype=np.float32))],
        predicted=None,
        segments=[],
        latency_ms=None,
        status=None,
    )


def publish_profiles(settings: Settings, deployments: Sequence[str], seed: int) -> dict[str, Layout]:
    """Publish a profile for version 1 of each deployment; gives the layouts that its windows are counted with."""
    producer, layouts = Producer(producer_config(settings.kafka)), {}
    for number, deployment in enumerate(deployments):
        reference = make_batch(
            random.Random(seed + number), deployment, None, BASE_MS + np.arange(2_000) * 60_000
        )
        profile = build_profile(
            [reference],
            rng=np.random.default_rng(seed),
            created_at_ms=BASE_MS,
            provenance="held-out",
            resolutions=("5m", "1h", "1d"),
        )
        layouts[deployment] = Layout(profile)
        producer.produce(
            f"{settings.kafka.topic_prefix}profiles", profile.to_bytes(), f"{deployment}/1".encode()
        )
    assert producer.flush(180) == 0, "the broker did not take the profiles"
    return layouts


class Feeder(threading.Thread):
    """Sends batches until `stop`, in event time that runs `speed` times as fast as the clock.

    Of the batches 5 % are sent again (the same bytes, as a retry or a spool would) and 3 % hold rows that are hours
    late. `rubbish` holds bytes to be mixed in, each in its turn, under the key of a deployment; `all_rubbish_sent`
    tells when each has been sent once.
    """

    def __init__(
        self,
        settings: Settings,
        seed: int,
        deployments: Sequence[str],
        *,
        batches_per_second: float = 150.0,
        speed: float = 600.0,
        rubbish: Sequence[bytes] = (),
    ) -> None:
        super().__init__(name="feeder", daemon=True)
        self._topic = settings.kafka.topic_prefix + "predictions"
        self._config = producer_config(settings.kafka, message_timeout_ms=300_000)
        self._rng, self._deployments = random.Random(seed), deployments
        self._pause_s, self._speed = 1 / batches_per_second, speed
        self._rubbish = self._rng.sample(rubbish, len(rubbish))
        self.all_rubbish_sent = threading.Event()
        self._stopping = threading.Event()
        self.sent = self.failed = 0

    def run(self) -> None:
        """Send until told to stop; the producer keeps what the broker cannot take and sends it later."""
        rng, producer = self._rng, Producer(self._config)
        seqs = dict.fromkeys(self._deployments, 0)
        kept: list[tuple[bytes, bytes]] = []
        thrown = 0
        began = time.monotonic()
        while not self._stopping.is_set():
            deployment = rng.choice(self._deployments)
            now_ms = BASE_MS + int((time.monotonic() - began) * 1000 * self._speed)
            lag_ms = rng.choice([0, 20_000_000]) if rng.random() < 0.06 else 0
            rows = rng.randint(1, 120)
            spread = np.sort(np.array([rng.randint(0, 400_000) for _ in range(rows)], np.int64))
            seal = Identity(f"feeder-{deployment}", 1, seqs[deployment])
            seqs[deployment] += 1
            record = (
                deployment.encode(),
                pack_predictions(make_batch(rng, deployment, seal, now_ms - lag_ms + spread)),
            )
            self._send(producer, *record)
            kept.append(record)
            if rng.random() < 0.05:
                self._send(producer, *rng.choice(kept[-200:]))
            if self._rubbish and rng.random() < 0.05:
                self._send(producer, deployment.encode(), self._rubbish[thrown % len(self._rubbish)])
                thrown += 1
                if thrown == len(self._rubbish):
                    self.all_rubbish_sent.set()
            del kept[:-200]
            producer.poll(0)
            self._stopping.wait(self._pause_s * rng.random() * 2)
        self.failed += producer.flush(300)

    def _send(self, producer: Producer, key: bytes, value: bytes) -> None:
        producer.produce(self._topic, value, key, on_delivery=self._delivered)

    def _delivered(self, error: object, _message: object) -> None:
        self.failed += error is not None
        self.sent += error is None

    def stop(self) -> None:
        """End the flood and wait until all of it is acknowledged."""
        self._stopping.set()
        self.join(320)
