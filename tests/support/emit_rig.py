"""What the emitter's tests share: everything that lies on their topics, and on disk."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from driftline.agents.emit.segment import read_header, read_record
from driftline.schemas.codec import decode
from driftline.schemas.columns import Identity, LabelColumns, PredictionColumns, read_labels, read_predictions
from driftline.schemas.settings import Settings, consumer_config

READ_SECONDS = 30.0
WAIT_SECONDS = 180.0
Script = Callable[..., subprocess.Popen[str]]


class Message(NamedTuple):
    """One message as it lies on a topic."""

    key: bytes
    value: bytes
    partition: int


@dataclass
class Topics:
    """Topics of one test on the real broker, and what lies on them."""

    settings: Settings
    env: dict[str, str]

    def messages(self, topic: str) -> list[Message]:
        """Everything on a topic, partition after partition, in the order of the log."""
        name = self.settings.kafka.topic_prefix + topic
        config = consumer_config(self.settings.kafka, f"reader-{uuid.uuid4().hex}")
        consumer = Consumer({**config, "log_level": 0})
        try:
            partitions = consumer.list_topics(name, timeout=READ_SECONDS).topics[name].partitions
            ends = {at: _end(consumer, TopicPartition(name, at)) for at in partitions}
            consumer.assign([TopicPartition(name, at, 0) for at, end in ends.items() if end])
            found: list[Message] = []
            open_ends = {at for at, end in ends.items() if end}
            deadline = time.monotonic() + READ_SECONDS
            while open_ends:
                assert time.monotonic() < deadline, f"{name} could not be read to its end"
                message = consumer.poll(0.5)
                if message is None:
                    continue
                error = message.error()
                assert error is None or error.code() == KafkaError._PARTITION_EOF, error
                found.append(Message(message.key(), message.value(), message.partition()))
                if message.offset() + 1 >= ends[message.partition()]:
                    open_ends.discard(message.partition())
            return sorted(found, key=lambda one: one.partition)
        finally:
            consumer.close()

    def batches(self, topic: str = "predictions") -> list[Any]:
        """Batches as readers count them: what came twice under one identity once, after checking that it is equal."""
        read: Callable[[bytes], PredictionColumns | LabelColumns] = (
            read_predictions if topic == "predictions" else read_labels
        )
        held: dict[tuple[str, int, int], bytes] = {}
        counted = []
        for message in self.messages(topic):
            batch = read(message.value)
            assert message.key == batch.deployment.encode()
            assert isinstance(batch.identity, Identity)
            seal = (batch.identity.instance, batch.identity.epoch, batch.identity.seq)
            if seal in held:
                assert held[seal] == message.value, f"the batch {seal} came twice with other bytes"
                continue
            held[seal] = message.value
            counted.append(batch)
        return counted

    def rows(self, topic: str = "predictions", epoch: int | None = None) -> int:
        """Rows as readers count them, of one epoch or all."""
        return sum(one.rows for one in self.batches(topic) if epoch is None or one.identity.epoch == epoch)

    def statuses(self) -> list[dict[str, Any]]:
        """Every heartbeat."""
        return [decode(message.value)[1] for message in self.messages("emitter-status")]


def _end(consumer: Consumer, partition: TopicPartition) -> int:
    """The end of the log; a broker that has just come back may lead no partition for a moment."""
    deadline = time.monotonic() + READ_SECONDS
    while True:
        try:
            return int(consumer.get_watermark_offsets(partition, READ_SECONDS)[1])
        except KafkaException:
            assert time.monotonic() < deadline, f"{partition} has no leader"
            time.sleep(0.1)


def wait_for(condition: Callable[[], bool], sentence: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait for a condition, with a bound; fails with the sentence. What costs more to ask is asked less often."""
    deadline = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        if condition():
            return
        assert time.monotonic() < deadline, sentence
        time.sleep(min(max(0.02, 4 * (time.monotonic() - asked)), 1.0))


def spooled(folder: Path) -> list[bytes]:
    """The messages that lie in a spool directory, in order."""
    found = []
    for path in sorted(folder.glob("*/*.seg")):
        with path.open("rb", buffering=0) as file:
            at = read_header(file)[2]
            while (record := read_record(file, at)) is not None:
                found.append(record[0].payload)
                at = record[1]
    return found


def values(batches: list[Any]) -> list[float]:
    """The first numeric column of all batches."""
    return [value for batch in batches for value in batch.features[0].values[0].tolist()]
