"""Kafka and ClickHouse as child processes: injuries, restarts, durability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, Producer

from driftline.schemas.settings import Settings, consumer_config, producer_config
from driftline.streams.clickhouse.client import Client

if TYPE_CHECKING:
    from tests.integration.conftest import TestStack

WAIT_SECONDS = 30.0


def produce(settings: Settings, values: list[bytes]) -> None:
    """Produce to partition 0 of predictions and wait until the broker has acknowledged all."""
    producer = Producer(producer_config(settings.kafka))
    for value in values:
        producer.produce(settings.kafka.topic_prefix + "predictions", value, partition=0)
    assert producer.flush(WAIT_SECONDS) == 0


def consume(settings: Settings, count: int) -> list[bytes]:
    """Read that many records of predictions from the start."""
    consumer = Consumer(
        {**consumer_config(settings.kafka, f"{settings.kafka.topic_prefix}read"), "log_level": 0}
    )
    consumer.subscribe([settings.kafka.topic_prefix + "predictions"])
    try:
        found = consumer.consume(count, WAIT_SECONDS)
    finally:
        consumer.close()
    return [message.value() for message in found if message.error() is None]


@pytest.mark.parametrize("injury", ["kill", "stop"])
def test_kafka_keeps_acknowledged_records(stack: TestStack, lane: Settings, injury: str) -> None:
    """What Kafka acknowledged is there after a crash or a stop, on the same port."""
    assert stack.kafka is not None
    produce(lane, [b"one", b"two"])
    before = stack.bootstrap
    getattr(stack.kafka, injury)()
    assert not stack.kafka.alive
    stack.kafka.restart()
    assert stack.bootstrap == before
    assert sorted(consume(lane, 2)) == [b"one", b"two"]


@pytest.mark.parametrize("injury", ["kill", "stop"])
def test_clickhouse_keeps_acknowledged_rows(stack: TestStack, lane: Settings, injury: str) -> None:
    """What ClickHouse acknowledged is there after a crash or a stop, on the same port."""
    assert stack.clickhouse is not None
    with Client(lane.clickhouse) as client:
        client.command("CREATE TABLE kept (x UInt8) ENGINE = MergeTree ORDER BY x")
        client.command("INSERT INTO kept VALUES (7)")
    getattr(stack.clickhouse, injury)()
    assert not stack.clickhouse.alive
    stack.clickhouse.restart()
    with Client(lane.clickhouse) as client:
        assert client.query("SELECT x FROM kept") == [{"x": 7}]


def test_the_engine_keeps_its_history_in_its_own_folder(stack: TestStack) -> None:
    """ClickHouse's line editor takes a history's rights from other users: it must not be a device of the machine."""
    assert stack.clickhouse is not None
    assert (stack.clickhouse.directory / "work" / "history").is_file()


def test_a_paused_broker_goes_on(stack: TestStack, lane: Settings) -> None:
    """A frozen broker answers nobody; resumed, it goes on."""
    assert stack.kafka is not None
    stack.kafka.pause()
    assert not stack.kafka.is_ready()
    stack.kafka.resume()
    stack.kafka.wait_ready()
    produce(lane, [b"one"])


def test_lanes_do_not_meet(stack: TestStack) -> None:
    """Two lanes have topics and databases of their own."""
    first, second = stack.lane("same"), stack.lane("same")
    assert first.kafka.topic_prefix != second.kafka.topic_prefix
    assert first.clickhouse.database != second.clickhouse.database
