"""Feed: one partition of a topic from an offset on: committed records, in order, a bounded number at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from driftline.agents.control.admission import Arrived
from driftline.agents.control.controller.broker import ANSWER_S, QUIET
from driftline.agents.control.controller.unread import Unread
from driftline.schemas.settings import consumer_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.schemas.settings import Kafka

_KILOBYTES: Final = 16_384


class Feed:
    """Reads partition 0 of a topic.

    Args:
        kafka: where the broker is.
        topic: name without the prefix.
        offset: of the first record; None begins at the first there is.
        clock_s: a monotonic clock, s.

    Raises:
        KafkaException: later, from every method: the broker cannot be read.
    """

    def __init__(
        self, kafka: Kafka, topic: str, offset: int | None, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.topic = topic
        self._name = kafka.topic_prefix + topic
        self._consumer = Consumer(
            consumer_config(
                kafka,
                f"driftline-feed-{topic}",
                auto_offset_reset="error",
                queued_max_messages_kbytes=_KILOBYTES,
            )
            | QUIET
        )
        self._consumer.assign([TopicPartition(self._name, 0, OFFSET_BEGINNING if offset is None else offset)])
        self.offset = offset or 0
        """Of the next record."""
        self._unread = Unread(self._name, clock_s)

    def take(self, most: int, timeout_s: float) -> list[Arrived]:
        """Give the next records, at most so many, none when none came within a time."""
        made = []
        for message in self._consumer.consume(most, timeout_s):
            wrong = message.error()
            if wrong is not None:
                if wrong.fatal() or wrong.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - a public code
                    raise KafkaException(wrong)
                self._unread.say(wrong.str())
                continue
            offset = message.offset() or 0
            made.append(Arrived(message.value() or b"", offset, message.timestamp()[1]))
            self.offset = offset + 1
        return made

    def bounds(self) -> tuple[int, int]:
        """The first offset that there is, and the end."""
        low, high = self._consumer.get_watermark_offsets(TopicPartition(self._name, 0), timeout=ANSWER_S)
        return low, high

    @property
    def place(self) -> TopicPartition:
        """Where it stands, as a group commits it."""
        return TopicPartition(self._name, 0, self.offset)

    def close(self) -> None:
        """Leave the topic."""
        self._consumer.close()
