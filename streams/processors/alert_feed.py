"""Feed: one thread a route, which reads the topic `alerts` by itself and tells its receiver.

The topic is the memory: nothing is queued here but what the client has fetched. So a receiver that is dead holds up
nobody but itself, and hears of every edge once it is back, for as long as the topic keeps them (90 days).
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from driftline.schemas.alert import Alert
from driftline.schemas.announced import announced
from driftline.schemas.clients import consumer_config
from driftline.schemas.reach import reach
from driftline.schemas.refusal import Refused
from driftline.streams.archive.errors import KafkaAwayError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.advice import Advice
    from driftline.schemas.routes import Route
    from driftline.schemas.settings import Settings
    from driftline.streams.archive.topics import Facts
    from driftline.streams.metrics import AlertMetrics

logger = logging.getLogger(__name__)

GROUP: Final = "driftline-alerts-to-"
POLL_S: Final = 0.2
RETRY_S: Final = 2.0
FETCHED_KB: Final = 1_024


class Feed(ABC):
    """One route's thread.

    Args:
        route: the receiver.
        settings: where Kafka is.
        topic: `alerts`, as the broker has it.
        metrics: where to count.
    """

    def __init__(self, route: Route, settings: Settings, topic: Facts, metrics: AlertMetrics) -> None:
        self.route, self._settings, self._topic, self._metrics = route, settings, topic, metrics
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"alerts-to-{route.name}", daemon=True)
        self._failure: BaseException | None = None
        self._failing_since_s: float | None = None
        metrics.waiting.labels(route.name).set(0)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Tell the thread to end."""
        self._stopping.set()

    def join(self, seconds: float) -> None:
        """Wait for it: a request may be in hand."""
        self._thread.join(max(seconds, 0.0))

    def check(self) -> None:
        """Raise what ended the thread, if anything did: the worker must not go on without it."""
        if self._failure is not None:
            raise self._failure

    @abstractmethod
    def step(self, consumer: Consumer) -> None:
        """Read and tell, for a fraction of a second, or as long as an answer takes."""

    @abstractmethod
    def assigned(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Take partitions up."""

    @abstractmethod
    def revoked(self) -> None:
        """Forget what belongs to partitions that are given back."""

    def consumer(self) -> Consumer:
        """A client of this route's group."""
        worker = self._settings.worker
        config = consumer_config(
            self._settings.kafka,
            f"{self._settings.kafka.topic_prefix}{GROUP}{self.route.name}",
            session_timeout_ms=worker.session_timeout_ms,
            heartbeat_interval_ms=worker.session_timeout_ms // 6,
            auto_offset_reset="earliest",
            enable_partition_eof="true",
            queued_max_messages_kbytes=FETCHED_KB,
        )
        return Consumer(config | reach(self._settings.kafka, logger))

    def read(self, message: Message) -> Alert | Advice | None:
        """The edge or the advice of a message, if this route wants it."""
        try:
            edge = announced(message.value() or b"")
        except Refused as refused:
            # The archive makes it a dead letter; a receiver could do nothing with it.
            logger.warning("alerts[%s] offset %s: %s", message.partition(), message.offset(), refused)
            return None
        if isinstance(edge, Alert) and edge.state == "acknowledged":
            return None
        return edge if self.route.everything or self.route.name in edge.routes else None

    def took(self, count: int) -> None:
        """The receiver took something."""
        if self._failing_since_s is not None:
            logger.info("route %s takes alerts again", self.route.name)
        self._failing_since_s = None
        self._metrics.delivered.labels(self.route.name).inc(count)
        self._metrics.waiting.labels(self.route.name).set(0)

    def failed(self, why: str) -> None:
        """The receiver did not; said once, and shown for as long as it lasts."""
        now_s = time.monotonic()
        if self._failing_since_s is None:
            self._failing_since_s = now_s
            logger.warning("route %s does not take alerts, and is tried again: %s", self.route.name, why)
        self._metrics.failed.labels(self.route.name).inc()
        self._metrics.waiting.labels(self.route.name).set(now_s - self._failing_since_s)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._follow()
                except (KafkaException, KafkaAwayError) as error:
                    logger.warning("route %s cannot read alerts (%s): trying again", self.route.name, error)
                    self._stopping.wait(RETRY_S)
        except BaseException as error:  # noqa: BLE001 - raised again in the worker's own thread
            self._failure = error

    def _follow(self) -> None:
        consumer = self.consumer()

        def given_back(_consumer: Consumer, _partitions: Sequence[TopicPartition]) -> None:
            self.revoked()

        try:
            consumer.subscribe(
                [self._topic.name], on_assign=self.assigned, on_revoke=given_back, on_lost=given_back
            )
            while not self._stopping.is_set():
                self.step(consumer)
        finally:
            consumer.close()


def is_end(message: Message) -> bool:
    """Whether this is the end of a partition and no record; other faults are logged, and are no record either."""
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's public code
        if error.fatal():
            raise KafkaException(error)
        logger.warning("Kafka: %s", error.str())
    return error is not None
