"""The alerts worker between Kafka and the pure desks: what to read next, and what to write in which order."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from driftline.schemas.clients import consumer_config
from driftline.schemas.partition import partition_of
from driftline.schemas.reach import reach
from driftline.schemas.refusal import Refused
from driftline.schemas.topics import ALERTS
from driftline.streams.alerts.desk import Desk
from driftline.streams.archive.errors import KafkaAwayError, TopicError
from driftline.streams.archive.takeover import bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.settings import Settings
    from driftline.streams.alerts.desk import Edges
    from driftline.streams.alerts.losses import LossBook
    from driftline.streams.archive.topics import Facts
    from driftline.streams.processors.alert_tally import Tally
    from driftline.streams.processors.join_store import Store
    from driftline.streams.processors.settings_book import SettingsBook

logger = logging.getLogger(__name__)

GROUP: Final = "driftline-alerts"
TAKE: Final = 200
TAKE_WITHIN_S: Final = 0.2
LOOK_SECONDS: Final = 5.0
_PUT_OUT: Final = (
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.FENCED_INSTANCE_ID,
)


class AlertsWorker:
    """One member of the group: reads windows, publishes edges. For one thread.

    Args:
        settings: addresses and rhythm.
        windows: the topic, as the broker has it.
        books: settings of deployments, and losses of emitters.
        store: where edges and state go.
        tally: where to count.
    """

    def __init__(
        self,
        settings: Settings,
        windows: Facts,
        books: tuple[SettingsBook, LossBook],
        store: Store,
        tally: Tally,
    ) -> None:
        self._settings, self._windows, self._store, self._tally = settings, windows, store, tally
        self._book, self._losses = books
        self._alerts = settings.kafka.topic_prefix + ALERTS
        self._desks: dict[int, Desk] = {}
        self._caught_up: set[int] = set()
        self._committed_at = self._looked_at = time.monotonic()
        worker = settings.worker
        self._consumer = Consumer(
            consumer_config(
                settings.kafka,
                settings.kafka.topic_prefix + GROUP,
                session_timeout_ms=worker.session_timeout_ms,
                heartbeat_interval_ms=worker.session_timeout_ms // 6,
                auto_offset_reset="earliest",
                enable_partition_eof="true",
                queued_max_messages_kbytes=max(worker.prefetch_bytes >> 10, 1),
            )
            | reach(settings.kafka, logger)
        )
        self._consumer.subscribe(
            [windows.name], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )

    def turn(self) -> None:
        """Read what has come, look at clock and ledgers, and write what is new.

        Raises:
            KafkaAwayError: the broker stays away.
            TopicError: what was stored cannot be taken up.
        """
        now_ms = time.time_ns() // 1_000_000
        for message in self._consumer.consume(TAKE, TAKE_WITHIN_S):
            self._put(message, now_ms)
        now_s = time.monotonic()
        if now_s - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now_s
            self._look(now_ms)
        is_due = now_s - self._committed_at >= self._settings.worker.checkpoint_seconds
        # An edge waits for nothing; that nothing happened may.
        if is_due or any(desk.has_edges for desk in self._desks.values()):
            self.commit()

    def commit(self) -> None:
        """Write what is new of every partition, in the order that `desk` names.

        Raises:
            KafkaAwayError: the broker stays away.
        """
        self._committed_at = time.monotonic()
        for partition, desk in tuple(self._desks.items()):
            if not desk.has_changed:
                self._tally.stored(partition)
                continue
            # The broker refuses the commit of a member that it has put out: nothing is written then.
            if not self._acknowledge(partition, desk.offset):
                return
            cases, edges, row = desk.commit()
            self._store.send((self._store.name, partition, key, value) for key, value in cases)
            self._publish(edges)
            self._store.send([(self._store.name, partition, *row)])
            self._tally.desk(partition, desk)
            self._tally.stored(partition)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _put(self, message: Message, now_ms: int) -> None:
        partition = message.partition() or 0
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's public code
                self._caught_up.add(partition)
            elif error.fatal():
                raise KafkaAwayError(f"the consumer cannot go on: {error.str()}")
            else:
                logger.warning("Kafka: %s", error.str())
            return
        desk = self._desks.get(partition)
        if desk is None:
            return
        refused = desk.refused
        for one in desk.take(message.offset() or 0, message.value(), now_ms):
            self._tally.edge(one)
        self._tally.window(desk.refused - refused)

    def _look(self, now_ms: int) -> None:
        losses = self._losses.look(now_ms)
        self._tally.deployments(self._book.newest())
        for partition, desk in self._desks.items():
            self._tally.behind(self._consumer, TopicPartition(self._windows.name, partition, desk.offset + 1))
        for partition in self._caught_up & self._desks.keys():
            mine = {name: loss for name, loss in losses.items() if self._is_of(name, partition)}
            for one in self._desks[partition].look(mine, now_ms):
                self._tally.edge(one)

    def _is_of(self, deployment: str, partition: int) -> bool:
        return partition_of(deployment.encode(), self._windows.partitions) == partition

    def _publish(self, edges: Edges) -> None:
        self._store.send((self._alerts, None, key, value) for key, value in edges)

    def _acknowledge(self, partition: int, offset: int) -> bool:
        """Commit what was taken, for those who look at lag; False when this is not the time to write.

        A member that was put out begins anew with its next assignment; one whose broker does not answer tries again in
        the next turn.
        """
        if offset < 0:
            return True
        try:
            place = TopicPartition(self._windows.name, partition, offset + 1)
            self._consumer.commit(offsets=[place], asynchronous=False)
        except KafkaException as error:
            logger.warning("partition %d: not stored yet: %s", partition, error.args[0].str())
            self._tally.refused()
            if error.args[0].code() in _PUT_OUT:
                self._desks.clear()
            return False
        return True

    def _assigned(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Take partitions up where the stored state says, after sending again what may not have been sent."""
        self._revoked(consumer, partitions)
        starts = []
        for partition in sorted(one.partition for one in partitions):
            desk = Desk(self._windows.topic_id, self._book)
            try:
                again = desk.restore(self._store.read(partition))
            except Refused as refused:
                raise TopicError(
                    f"topic {self._store.name!r}, partition {partition}: {refused.detail}: delete it, and alerts "
                    "begin anew"
                ) from refused
            self._publish(again)
            self._tally.again(len(again))
            low, _ = bounds(consumer, TopicPartition(self._windows.name, partition))
            if 0 <= desk.offset < low - 1:
                self._tally.lost(partition, low - 1 - desk.offset)
            self._desks[partition] = desk
            self._tally.stored(partition)
            starts.append(TopicPartition(self._windows.name, partition, max(low, desk.offset + 1)))
        consumer.assign(starts)

    def _revoked(self, consumer: Consumer, _partitions: Sequence[TopicPartition]) -> None:
        """Give all partitions back; the next owner reads again what was not stored."""
        self._desks.clear()
        self._caught_up.clear()
        self._tally.given_back()
        consumer.unassign()
