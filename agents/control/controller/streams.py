"""Streams: topics of the watching side as the controller reads them: all partitions, from some time on."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from driftline.agents.control.controller.broker import QUIET
from driftline.agents.control.controller.unread import Unread
from driftline.schemas.settings import consumer_config
from driftline.schemas.topics import WINDOWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from driftline.agents.control.controller.windows import Windows
    from driftline.schemas.settings import Kafka

WINDOWS_BACK_MS: Final = 86_400_000
"""How far back is read when a deployment begins to be followed: the champion before it may be asked about."""
ALERTS_BACK_MS: Final = 14 * 86_400_000
"""What fires is known when it began to within this time."""
OPEN_S: Final = 5.0
"""How long the broker may take for an answer; nothing is decided meanwhile."""
AGAIN_S: Final = 60.0
"""Between two attempts."""
_BATCH: Final = 500
_KILOBYTES: Final = 16_384


class Stream:
    """A topic of several partitions, read once it is open; that it cannot be read holds up no decision.

    Args:
        kafka: where the broker is.
        topic: name without the prefix.
        since_ms: from when on it is read, ms since 1970.
        clock_s: a monotonic clock, s.
    """

    def __init__(
        self, kafka: Kafka, topic: str, since_ms: int, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._kafka, self._since_ms, self._clock_s = kafka, since_ms, clock_s
        self._group = f"driftline-controller-{topic}"
        self._name = kafka.topic_prefix + topic
        self._consumer: Consumer | None = None
        self._again_s = -math.inf
        self._unread = Unread(self._name, clock_s)

    def take(self) -> Iterator[tuple[bytes, bytes]]:
        """Give keys and values of what there is, at most a batch; waits for nothing."""
        try:
            messages = [] if self._consumer is None else self._consumer.consume(_BATCH, 0)
        except KafkaException as error:
            messages = []
            self._unread.say(error.args[0].str())
        for message in messages:
            wrong = message.error()
            if wrong is None:
                yield message.key() or b"", message.value() or b""
            elif wrong.fatal() or not wrong.retriable():
                self._unread.say(wrong.str())

    def open(self) -> None:
        """Open it unless it is, or failed to be a moment ago; takes seconds where brokers are away."""
        if self._consumer is not None or self._clock_s() < self._again_s:
            return
        try:
            self._consumer = self._opened()
        except KafkaException as error:
            self._again_s = self._clock_s() + AGAIN_S
            self._unread.say(error.args[0].str())

    def reopen(self, since_ms: int) -> None:
        """Read from another time on."""
        self.close()
        self._since_ms = since_ms
        self.open()

    def close(self) -> None:
        """Leave the topic."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _opened(self) -> Consumer:
        config = consumer_config(self._kafka, self._group, queued_max_messages_kbytes=_KILOBYTES)
        consumer = Consumer(config | QUIET)
        try:
            wanted = [
                TopicPartition(self._name, number, self._since_ms) for number in self._partitions(consumer)
            ]
            found = consumer.offsets_for_times(wanted, timeout=OPEN_S)
            for one in found:
                if one.error is not None:
                    raise KafkaException(one.error)  # noqa: TRY301 - as what the calls beside raise
                if one.offset < 0:
                    # None is so new; asked for the end later, the client would leave out what comes meanwhile.
                    _, one.offset = consumer.get_watermark_offsets(one, timeout=OPEN_S)
            consumer.assign(found)
        except KafkaException:
            consumer.close()
            raise
        return consumer

    def _partitions(self, consumer: Consumer) -> list[int]:
        known = consumer.list_topics(self._name, timeout=OPEN_S).topics[self._name]
        if known.error is not None:
            raise KafkaException(known.error)
        return list(known.partitions)


class WindowFeed:
    """Reads nothing while nothing is under way."""

    def __init__(self, kafka: Kafka) -> None:
        self._stream = Stream(kafka, WINDOWS, 0)
        self._followed: set[str] = set()

    def take(self, windows: Windows) -> None:
        """Let a book take in what came."""
        for key, value in self._stream.take():
            windows.take(key, value)

    def follow(self, windows: Windows, now_ms: int) -> None:
        """Read of the deployments that a book follows; from earlier on when they are more, of none not at all."""
        if not windows.followed <= self._followed:
            self._stream.reopen(now_ms - WINDOWS_BACK_MS)
        elif windows.followed:
            self._stream.open()
        else:
            self.close()
        self._followed = windows.followed

    def close(self) -> None:
        """Read no more."""
        self._stream.close()
