"""A client of Kafka that cannot reach it says so in one line a minute."""

from __future__ import annotations

import logging

import pytest
from confluent_kafka import KafkaError

from driftline.schemas import reach as reaching
from driftline.schemas.reach import Reach
from driftline.schemas.settings import Kafka

LOGGER = logging.getLogger("reach")
REFUSED = KafkaError(KafkaError._TRANSPORT, "Connection refused")
NONE_LEFT = KafkaError(KafkaError._ALL_BROKERS_DOWN)


def test_brokers_out_of_reach_are_said_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With the reason of the last one; that one of several does not answer is nothing to be said."""
    now_s = 1_000.0
    monkeypatch.setattr(reaching.time, "monotonic", lambda: now_s)
    heard = Reach(Kafka(bootstrap="kafka:9092"), LOGGER)
    heard.hear(REFUSED)
    assert caplog.messages == []
    for _ in range(100):
        heard.hear(REFUSED)
        heard.hear(NONE_LEFT)
    said = "Kafka at kafka:9092 is out of reach, and is tried again: Connection refused"
    assert caplog.messages == [said]
    now_s += reaching.INTERVAL_S
    heard.hear(NONE_LEFT)
    assert caplog.messages == [said, said]
