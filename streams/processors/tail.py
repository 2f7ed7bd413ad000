"""A topic read from its first record and followed to its end, by a thread, for look-ups in memory."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from driftline.schemas.reach import reach
from driftline.schemas.settings import consumer_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.schemas.settings import Settings

logger = logging.getLogger(__name__)

POLL_S: Final = 0.2
RETRY_S: Final = 1.0


class TopicTail:
    """Follows every partition of a small topic and gives each record to `on_record` in its thread.

    A broker that is away is waited for, without end; `caught_up` tells whether the look-up is fresh.

    Args:
        settings: where the broker is.
        topic: the full name of the topic.
        on_record: called with key and value (None for a tombstone) of each record, in the order of its partition.
    """

    def __init__(
        self, settings: Settings, topic: str, on_record: Callable[[bytes | None, bytes | None, int], None]
    ) -> None:
        self._settings, self.topic, self._on_record = settings, topic, on_record
        self._reach = reach(settings.kafka, logger)
        self._stopping, self._again = threading.Event(), threading.Event()
        self._progress = threading.Condition()
        self._read: dict[int, int] = {}
        self._thread = threading.Thread(target=self._run, name=f"tail-{topic}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; waits for it at most five seconds."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def read_again(self) -> None:
        """Have the whole topic read once more, from its first record on; returns at once."""
        self._again.set()

    def caught_up(self, timeout_s: float) -> bool:
        """Wait until what the topic held at the time of the call has been read; False when time ran out."""
        deadline = time.monotonic() + timeout_s
        try:
            probe = Consumer(self._config("probe"))
            try:
                ends = self._ends(probe, timeout_s)
            finally:
                probe.close()
        except KafkaException:
            return False
        with self._progress:
            return self._progress.wait_for(
                lambda: all(self._read.get(partition, 0) >= end for partition, end in ends.items()),
                max(0.0, deadline - time.monotonic()),
            )

    def _config(self, role: str) -> dict[str, Any]:
        return consumer_config(self._settings.kafka, f"driftline-tail-{role}") | {
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            # Of a topic of hundreds of profiles the default would hold 64 MB ahead of the reader.
            "queued.max.messages.kbytes": 4_096,
            **self._reach,
        }

    def _ends(self, consumer: Consumer, timeout_s: float) -> dict[int, int]:
        """The offsets up to which there is something to read; 0 for an empty partition."""
        ends = {}
        for partition in self._partitions(consumer, timeout_s):
            low, high = consumer.get_watermark_offsets(
                TopicPartition(self.topic, partition), timeout=timeout_s
            )
            ends[partition] = high if high > low else 0
        return ends

    def _partitions(self, consumer: Consumer, timeout_s: float) -> list[int]:
        found = consumer.list_topics(self.topic, timeout=timeout_s).topics[self.topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return sorted(found.partitions)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except KafkaException as error:
                logger.warning("cannot read topic %s (%s): trying again", self.topic, error)
                self._stopping.wait(RETRY_S)

    def _follow(self) -> None:
        consumer = Consumer(self._config("follow"))
        try:
            partitions = self._partitions(consumer, 10.0)
            consumer.assign(
                [TopicPartition(self.topic, p, self._read.get(p, OFFSET_BEGINNING)) for p in partitions]
            )
            while not self._stopping.is_set():
                if self._again.is_set():
                    self._again.clear()
                    with self._progress:
                        self._read.clear()
                    return
                message = consumer.poll(POLL_S)
                if message is None:
                    continue
                error = message.error()
                if error is None:
                    self._on_record(message.key(), message.value(), message.timestamp()[1])
                elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's public code
                    logger.warning("topic %s: %s", self.topic, error)
                    continue
                self._advance(message.partition() or 0, (message.offset() or 0) + (error is None))
        finally:
            consumer.close()

    def _advance(self, partition: int, read: int) -> None:
        with self._progress:
            self._read[partition] = max(read, self._read.get(partition, 0))
            self._progress.notify_all()
