"""Compacted topics as commands use them: read from the first record to the end, and written to record by record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from driftline.schemas.errors import DriftlineError
from driftline.schemas.settings import consumer_config, producer_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driftline.schemas.settings import Kafka

ANSWER_S: Final = 15.0
"""How long the broker may take to answer."""

QUIET: Final = 2
"""librdkafka's log level: what matters comes back as an error, and the rest would stand among a person's
output.
"""


class BrokerError(DriftlineError):
    """Kafka does not answer, lacks a topic, or does not take a record."""


def records(kafka: Kafka, topic: str) -> Iterator[Message]:
    """Read a topic (named without prefix) from its first record to the end it has now.

    Raises:
        BrokerError: Kafka or the topic is not there.
    """
    name = kafka.topic_prefix + topic
    config = consumer_config(kafka, f"driftline-{topic}", enable_partition_eof="true")
    consumer = Consumer({**config, "log_level": QUIET})
    try:
        waiting = _partitions(consumer, kafka, name)
        consumer.assign([TopicPartition(name, number, OFFSET_BEGINNING) for number in waiting])
        yield from _to_the_end(consumer, kafka, waiting)
    except KafkaException as error:
        raise _away(kafka, error.args[0].str()) from error
    finally:
        consumer.close()


def produce(kafka: Kafka, topic: str, key: bytes, value: bytes | None) -> int:
    """Put one record, or a tombstone, on a topic (named without prefix), wait for the broker, and give its offset.

    Raises:
        BrokerError: Kafka did not take it.
    """
    failures: list[KafkaError] = []
    offsets: list[int] = []

    def told(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failures.append(error)
        else:
            offsets.append(message.offset() or 0)

    config = producer_config(kafka, message_timeout_ms=int(ANSWER_S * 1_000))
    producer = Producer({**config, "log_level": QUIET})
    producer.produce(kafka.topic_prefix + topic, value, key, on_delivery=told)
    left = producer.flush(ANSWER_S + 1)
    if left or failures:
        why = failures[0].str() if failures else "no answer"
        raise _away(kafka, f"the record for topic {topic!r} was not taken: {why}")
    return offsets[0]


def _to_the_end(consumer: Consumer, kafka: Kafka, waiting: set[int]) -> Iterator[Message]:
    while waiting:
        message = consumer.poll(ANSWER_S)
        if message is None:
            raise _away(kafka, "it stopped answering")
        error = message.error()
        if error is None:
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's public code
            waiting.discard(message.partition())
        else:
            raise KafkaException(error)


def _partitions(consumer: Consumer, kafka: Kafka, topic: str) -> set[int]:
    known = consumer.list_topics(topic, timeout=ANSWER_S).topics[topic]
    if known.error is not None:
        raise BrokerError(f"Kafka at {kafka.bootstrap} has no topic {topic!r}: run 'driftline up' first")
    return set(known.partitions)


def _away(kafka: Kafka, why: str) -> BrokerError:
    return BrokerError(
        f"Kafka at {kafka.bootstrap} does not answer ({why}): start a stack with 'driftline up', or name yours "
        "with DRIFTLINE_KAFKA_BOOTSTRAP"
    )
