"""P7 with both workers: events of the future and ten years in any order stall nothing and lose nothing."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest
from confluent_kafka import Producer
from facts import read_facts
from feeder import BASE_MS, make_batch
from rig import Crew, differences, settle

from driftline.schemas.columns import Identity, pack_predictions
from driftline.schemas.settings import Settings, producer_config

YEAR_MS = 365 * 86_400_000
YEAR_2099_MS = 4_070_908_800_000
ROWS = 10


@pytest.fixture
def tuned(lane: Settings) -> Settings:
    """A lane whose windows close by their events alone."""
    worker = msgspec.structs.replace(
        lane.worker, checkpoint_seconds=1.0, publish_seconds=1.0, idle_seconds=86_400.0
    )
    return msgspec.structs.replace(lane, worker=worker)


@pytest.mark.timeout(400)
def test_the_year_2099_and_a_shuffled_decade(tuned: Settings, crew: Crew) -> None:
    """One event of 2099 refuses its batch; a decade in any order is stored whole, counted where hot, else restated.

    A deployment that behaves shares the partition and has all its windows.
    """
    crew.keep("drift", 1)
    crew.keep("archive", 1)
    rng, draw = random.Random(5), np.random.default_rng(5)
    producer = Producer(producer_config(tuned.kafka))

    def send(deployment: str, seq: int, times: np.ndarray) -> None:
        batch = make_batch(rng, deployment, Identity("table", 1, seq), times.astype(np.int64))
        producer.produce(
            f"{tuned.kafka.topic_prefix}predictions", pack_predictions(batch), deployment.encode()
        )

    decade = draw.integers(BASE_MS - 10 * YEAR_MS, BASE_MS, 40 * ROWS).reshape(40, ROWS)
    for seq in range(40):
        send("decade", seq, decade[seq])
        send("steady", seq, BASE_MS + seq * 60_000 + np.arange(50) * 1_000)
        if seq == 20:
            send("steady", 1_000, np.array([BASE_MS, YEAR_2099_MS]))
    assert producer.flush(180) == 0
    facts = read_facts(tuned, ("5m", "1h", "1d"))
    assert list(facts.refused.values()) == ["future"]
    assert facts.rows == {"decade": 40 * ROWS, "steady": 40 * 50}
    wrong = settle(lambda: differences(tuned, facts), 240)
    assert not wrong, f"{len(wrong)} wrong, first {wrong[:5]}\n{crew.tails()}"
    assert facts.late["decade"] > 30 * ROWS
    assert facts.late["steady"] == 0
