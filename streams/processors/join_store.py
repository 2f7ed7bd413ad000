"""Store: the stored state of a worker, a compacted topic with the partitions of the events."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from driftline.schemas.clients import consumer_config, kafka_config, producer_config
from driftline.schemas.reach import QUIET
from driftline.schemas.topics import changelog_config
from driftline.streams.archive.errors import KafkaAwayError, TopicError
from driftline.streams.archive.takeover import bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from driftline.schemas.settings import Settings

logger = logging.getLogger(__name__)

NAME: Final = "driftline-accuracy-state"
ANSWER_S: Final = 30.0
BY_KEY: Final = -1
"""librdkafka's RD_KAFKA_PARTITION_UA."""

Outgoing = tuple[str, int | None, bytes, bytes | None]
"""A record to be sent: topic, partition (None: by its key), key, value (None: a tombstone)."""


class Store:
    """Writes results and state, each acknowledged, and reads the state of a partition.

    Args:
        settings: where Kafka is.
        name: the topic of the state, without prefix.
        reached: how much a partition's row, whose key begins with `r`, has absorbed; None asks for nothing (-1).
    """

    def __init__(
        self,
        settings: Settings,
        name: str = NAME,
        reached: Callable[[bytes | None], int] | None = None,
    ) -> None:
        self._kafka = settings.kafka
        self._reached = reached or _reached
        self.name = settings.kafka.topic_prefix + name
        self._producer = Producer(
            producer_config(settings.kafka, delivery_timeout_ms=int(ANSWER_S * 1000)) | {"log_level": QUIET}
        )
        self._faults: list[KafkaError] = []

    def create(self) -> None:
        """Create the topic of the state where there is none.

        Raises:
            TopicError: it has another number of partitions.
            KafkaAwayError: no answer.
        """
        admin = AdminClient({**kafka_config(self._kafka), "log_level": 0})
        wanted = NewTopic(
            self.name, self._kafka.partitions, self._kafka.replication_factor, config=changelog_config()
        )
        try:
            admin.create_topics([wanted], request_timeout=ANSWER_S)[self.name].result(ANSWER_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise KafkaAwayError(
                    f"topic {self.name!r} cannot be created: {error.args[0].str()}"
                ) from error
            held = admin.list_topics(self.name, timeout=ANSWER_S).topics[self.name]
            if len(held.partitions) != self._kafka.partitions:
                raise TopicError(
                    f"topic {self.name!r} has {len(held.partitions)} partitions, DRIFTLINE_KAFKA_PARTITIONS is "
                    f"{self._kafka.partitions}: set it to what the topic has"
                ) from error

    def read(self, partition: int) -> dict[bytes, bytes]:
        """Read the state of a partition to its end; of two values of a key the one that has absorbed more holds.

        Raises:
            KafkaAwayError: the broker does not answer.
        """
        place = TopicPartition(self.name, partition)
        consumer = Consumer(
            consumer_config(self._kafka, f"{self.name}-reader", enable_partition_eof="true")
            | {"log_level": QUIET}
        )
        held: dict[bytes, bytes] = {}
        try:
            low, high = bounds(consumer, place)
            if low >= high:
                return held
            consumer.assign([TopicPartition(self.name, partition, low)])
            while True:
                message = consumer.poll(ANSWER_S)
                if message is None:
                    raise KafkaAwayError(f"topic {self.name!r} was not read within {ANSWER_S:g} s")
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's public code
                        return held
                    logger.warning("topic %s: %s", self.name, error)
                    continue
                self._hold(held, message.key() or b"", message.value())
        finally:
            consumer.close()

    def send(self, records: Iterable[Outgoing]) -> int:
        """Send records and wait until the broker has all of them; returns how many there were.

        Raises:
            KafkaAwayError: one was not taken in time.
        """
        self._faults.clear()
        count = 0
        for topic, partition, key, value in records:
            where = BY_KEY if partition is None else partition
            while True:
                try:
                    self._producer.produce(topic, value, key, where, on_delivery=self._answered)
                    break
                except BufferError:
                    self._producer.poll(1.0)
            self._producer.poll(0)
            count += 1
        left = self._producer.flush(ANSWER_S + 5)
        if left or self._faults:
            why = self._faults[0].str() if self._faults else f"no answer within {ANSWER_S:g} s"
            raise KafkaAwayError(f"{left + len(self._faults)} of {count} records were not taken: {why}")
        return count

    def _hold(self, held: dict[bytes, bytes], key: bytes, value: bytes | None) -> None:
        if value is None:
            held.pop(key, None)
        elif not key.startswith(b"r") or self._reached(value) >= self._reached(held.get(key)):
            held[key] = value

    def _answered(self, error: KafkaError | None, _message: object) -> None:
        if error is not None:
            self._faults.append(error)


def _reached(row: bytes | None) -> int:
    """How much of both logs a row has absorbed: a paused worker may have written after its successor."""
    if row is None:
        return -1
    state = msgspec.msgpack.decode(row)
    return int(state["predictions"] + state["labels"])
