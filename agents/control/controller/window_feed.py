"""WindowFeed: topic `windows` as rollouts need it: all partitions, from a day before they were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, TopicPartition

from driftline.agents.control.controller.feed import ANSWER_S, QUIET
from driftline.schemas.settings import consumer_config

if TYPE_CHECKING:
    from driftline.agents.control.controller.windows import Windows
    from driftline.schemas.settings import Kafka

TOPIC: Final = "windows"
BACK_MS: Final = 86_400_000
"""How far back is read when a deployment begins to be followed: the champion before it may be asked about."""
_BATCH: Final = 500
_KILOBYTES: Final = 16_384


class WindowFeed:
    """Reads nothing while nothing is under way.

    Raises:
        KafkaException: from `follow`: the topic cannot be read.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._consumer: Consumer | None = None
        self._followed: set[str] = set()

    def follow(self, windows: Windows, now_ms: int) -> None:
        """Let a book take in what came of the deployments that it follows; reads from earlier on when they are more."""
        if not windows.followed <= self._followed:
            self.close()
            self._consumer = self._from(now_ms - BACK_MS)
        elif not windows.followed:
            self.close()
        self._followed = windows.followed
        if self._consumer is None:
            return
        for message in self._consumer.consume(_BATCH, 0):
            if message.error() is None:
                windows.take(message.key() or b"", message.value() or b"")

    def close(self) -> None:
        """Read no more."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _from(self, since_ms: int) -> Consumer:
        name = self._kafka.topic_prefix + TOPIC
        config = consumer_config(
            self._kafka, "driftline-controller-windows", queued_max_messages_kbytes=_KILOBYTES
        )
        consumer = Consumer(config | QUIET)
        known = consumer.list_topics(name, timeout=ANSWER_S).topics[name]
        wanted = [TopicPartition(name, number, since_ms) for number in known.partitions]
        consumer.assign(consumer.offsets_for_times(wanted, timeout=ANSWER_S))
        return consumer
