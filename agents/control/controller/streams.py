"""Streams: topics of the watching side as the controller reads them: all partitions, from some time on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, TopicPartition

from driftline.agents.control.controller.feed import ANSWER_S, QUIET
from driftline.schemas.settings import consumer_config
from driftline.schemas.topics import WINDOWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driftline.agents.control.controller.windows import Windows
    from driftline.schemas.settings import Kafka

WINDOWS_BACK_MS: Final = 86_400_000
"""How far back is read when a deployment begins to be followed: the champion before it may be asked about."""
ALERTS_BACK_MS: Final = 14 * 86_400_000
"""What fires is known when it began to within this time."""
_BATCH: Final = 500
_KILOBYTES: Final = 16_384


class Stream:
    """A topic of several partitions.

    Raises:
        KafkaException: also from `take`: the topic cannot be read.
    """

    def __init__(self, kafka: Kafka, topic: str, since_ms: int) -> None:
        name = kafka.topic_prefix + topic
        config = consumer_config(
            kafka, f"driftline-controller-{topic}", queued_max_messages_kbytes=_KILOBYTES
        )
        self._consumer = Consumer(config | QUIET)
        known = self._consumer.list_topics(name, timeout=ANSWER_S).topics[name]
        wanted = [TopicPartition(name, number, since_ms) for number in known.partitions]
        self._consumer.assign(self._consumer.offsets_for_times(wanted, timeout=ANSWER_S) if wanted else [])

    def take(self) -> Iterator[tuple[bytes, bytes]]:
        """Give keys and values of what there is, at most a batch."""
        for message in self._consumer.consume(_BATCH, 0):
            if message.error() is None:
                yield message.key() or b"", message.value() or b""

    def close(self) -> None:
        """Leave the topic."""
        self._consumer.close()


class WindowFeed:
    """Reads nothing while nothing is under way.

    Raises:
        KafkaException: from `follow`: the topic cannot be read.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._stream: Stream | None = None
        self._followed: set[str] = set()

    def follow(self, windows: Windows, now_ms: int) -> None:
        """Let a book take in what came of the deployments that it follows; reads from earlier on when they are more."""
        if not windows.followed <= self._followed:
            self.close()
            self._stream = Stream(self._kafka, WINDOWS, now_ms - WINDOWS_BACK_MS)
        elif not windows.followed:
            self.close()
        self._followed = windows.followed
        for key, value in self._stream.take() if self._stream is not None else ():
            windows.take(key, value)

    def close(self) -> None:
        """Read no more."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
