"""A real librdkafka producer and a real broker put every key where the contract says."""

from __future__ import annotations

import random
from typing import Any

import confluent_kafka
from confluent_kafka.admin import AdminClient

from driftline.schemas.codec import max_bytes
from driftline.schemas.partition import partition_of
from driftline.schemas.settings import Settings, kafka_config, producer_config
from driftline.schemas.topics import TOPICS

KEYS = 500
FLUSH_SECONDS = 30.0


def test_librdkafka_places_keys_as_we_do(lane: Settings) -> None:
    """Every delivered record lies in the partition that murmur2 of its key names, non-ASCII and long keys too."""
    generator = random.Random(7)
    names = [f"deployment-{n}" for n in range(KEYS)] + ["é", "ключ", "x" * 199]
    keys = [name.encode() for name in names] + [generator.randbytes(n) for n in range(1, 40)]
    placed: dict[bytes, int] = {}
    faults: list[str] = []

    def delivered(error: Any, message: Any) -> None:
        if error is not None:
            faults.append(str(error))
        else:
            placed[message.key()] = message.partition()

    producer = confluent_kafka.Producer(producer_config(lane.kafka))
    for key in keys:
        producer.produce(lane.kafka.topic_prefix + "predictions", key=key, value=b"", on_delivery=delivered)
    assert producer.flush(FLUSH_SECONDS) == 0
    assert faults == []
    assert placed == {key: partition_of(key, lane.kafka.partitions) for key in keys}


def test_the_broker_holds_the_table_of_topics(lane: Settings) -> None:
    """Partition counts of the created topics are those of the table; the client's options are ones it knows."""
    admin = AdminClient(kafka_config(lane.kafka))
    held = admin.list_topics(timeout=FLUSH_SECONDS).topics
    wanted = {
        lane.kafka.topic_prefix + each.name: each.partition_count(lane.kafka.partitions) for each in TOPICS
    }
    assert {name: len(held[name].partitions) for name in wanted} == wanted


def test_the_largest_message_of_each_topic_is_taken(lane: Settings) -> None:
    """A record of random bytes as large as the codec allows passes the broker in the topics that need it."""
    producer = confluent_kafka.Producer(producer_config(lane.kafka))
    faults: list[str] = []

    def delivered(error: Any, message: Any) -> None:
        if error is not None:
            faults.append(f"{message.topic()}: {error}")

    sizes = {
        "predictions": "PredictionBatch",
        "dead-letter": "DeadLetter",
        "windows": "WindowResult",
        "profiles": "Profile",
    }
    for name, record_type in sizes.items():
        value = random.Random(1).randbytes(max_bytes(record_type))
        producer.produce(lane.kafka.topic_prefix + name, key=b"x", value=value, on_delivery=delivered)
    assert producer.flush(FLUSH_SECONDS) == 0
    assert faults == []
