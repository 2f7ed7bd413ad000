"""WebhookFeed: each edge to one receiver, in order, until it is taken; only then is the position committed."""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, Final

from confluent_kafka import OFFSET_END, Consumer, KafkaException, Message, TopicPartition

from driftline.streams.alerts.recent import Recent
from driftline.streams.alerts.webhook import body, headers, is_refusal, pause_s
from driftline.streams.archive import takeover
from driftline.streams.processors.alert_feed import POLL_S, Feed, is_end
from driftline.streams.processors.alert_post import UnansweredError, post

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.advice import Advice
    from driftline.schemas.alert import Alert
    from driftline.schemas.routes import Route
    from driftline.schemas.settings import Settings
    from driftline.streams.archive.topics import Facts
    from driftline.streams.metrics import AlertMetrics

logger = logging.getLogger(__name__)

REFUSALS: Final = 3
"""An edge that a receiver refuses so many times, as it is, is given up: the next ones must not wait for it."""


class WebhookFeed(Feed):
    """A route that is a webhook; arguments as `Feed`."""

    def __init__(self, route: Route, settings: Settings, topic: Facts, metrics: AlertMetrics) -> None:
        super().__init__(route, settings, topic, metrics)
        self._rng = random.Random()  # noqa: S311 - it spreads retries
        self._recent = Recent()
        self._moves = 0
        self._holding = False

    def begin(self) -> None:
        """Commit where a route that is new begins: at the end, for what happened before was told to others.

        Before the first edge is made, so that a crash right after it does not leave the route without a position.
        """
        consumer = self.consumer()
        try:
            places = [TopicPartition(self._topic.name, number) for number in range(self._topic.partitions)]
            fresh = [one for one in takeover.committed(consumer, places) if one.offset < 0]
            starts = [
                TopicPartition(one.topic, one.partition, takeover.bounds(consumer, one)[1]) for one in fresh
            ]
            if starts:
                consumer.commit(offsets=starts, asynchronous=False)
        except KafkaException as error:
            # Another worker has the group, and has done it.
            logger.info("route %s: %s", self.route.name, error.args[0].str())
        finally:
            consumer.close()

    def assigned(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Take partitions up where the group has come."""
        self._moves += 1
        starts = [
            TopicPartition(one.topic, one.partition, one.offset if one.offset >= 0 else OFFSET_END)
            for one in takeover.committed(consumer, partitions)
        ]
        consumer.assign(starts)
        if self._holding:
            consumer.pause(starts)

    def revoked(self) -> None:
        """What is in hand is the next owner's."""
        self._moves += 1

    def step(self, consumer: Consumer) -> None:
        """Take the next edge, and tell it."""
        message = consumer.poll(POLL_S)
        if message is None or is_end(message):
            return
        edge = self.read(message)
        if edge is None or edge.id in self._recent:
            consumer.commit(message=message, asynchronous=True)
        elif self._told(consumer, edge):
            self._recent.add(edge.id)
            self._commit(consumer, message)

    def _told(self, consumer: Consumer, edge: Alert | Advice) -> bool:
        """Try until the receiver has the edge; False when it is not ours to tell any more."""
        content, moves, failures, refusals = body(edge), self._moves, 0, 0
        try:
            while True:
                now_s = time.time_ns() // 1_000_000_000
                try:
                    status, text = post(
                        self.route.url, content, headers(edge.id, content, self.route.secret, now_s)
                    )
                    why = f"HTTP {status} {text}".rstrip()
                except UnansweredError as error:
                    status, why = 0, str(error)
                if 200 <= status < 300:  # noqa: PLR2004 - the class of HTTP that says yes
                    self.took(1)
                    return True
                failures, refusals = failures + 1, refusals + is_refusal(status)
                self.failed(why)
                if refusals >= REFUSALS:
                    logger.error("route %s refuses edge %s for good: %s", self.route.name, edge.id, why)
                    self._metrics.given_up.labels(self.route.name).inc()
                    return True
                if not self._waited(consumer, failures) or self._moves != moves:
                    return False
        finally:
            if self._holding:
                self._holding = False
                consumer.resume(consumer.assignment())

    def _waited(self, consumer: Consumer, failures: int) -> bool:
        """Wait for the next attempt, as a member that lives; False when the worker stops."""
        if not self._holding:
            self._holding = True
            consumer.pause(consumer.assignment())
        if self._stopping.wait(pause_s(failures, self._rng)):
            return False
        consumer.poll(0)
        return True

    def _commit(self, consumer: Consumer, message: Message) -> None:
        """Say that it was told; when that fails it is told again, under the same key."""
        try:
            consumer.commit(message=message, asynchronous=False)
        except KafkaException as error:
            logger.warning("route %s: position not committed: %s", self.route.name, error.args[0].str())
