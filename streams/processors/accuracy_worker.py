"""The accuracy worker between Kafka and the pure join: what to read next, what to publish, what to store when."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from driftline.schemas.clients import consumer_config
from driftline.schemas.reach import reach
from driftline.schemas.refusal import Refused
from driftline.streams.archive.errors import KafkaAwayError
from driftline.streams.archive.takeover import bounds
from driftline.streams.join.lanes import TOPICS, Lanes, Record
from driftline.streams.join.shard import Shard
from driftline.streams.processors.accuracy_restating import Restating
from driftline.streams.windows import intake
from driftline.streams.windows.rules import MONTH_DAYS, Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.schemas.columns import LabelColumns, PredictionColumns
    from driftline.schemas.settings import Settings
    from driftline.streams.archive.topics import Facts
    from driftline.streams.join.lanes import Topic
    from driftline.streams.metrics import AccuracyMetrics
    from driftline.streams.processors.join_store import Store
    from driftline.streams.processors.terms_book import TermsBook

logger = logging.getLogger(__name__)

Columns = TypeVar("Columns", "PredictionColumns", "LabelColumns")

GROUP: Final = "driftline-accuracy"
TAKE: Final = 500
TAKE_WITHIN_S: Final = 0.1


class AccuracyWorker:
    """One member of the group: reads, joins, publishes. For one thread.

    Args:
        settings: addresses, rules and caps.
        facts: the two topics, as the broker has them.
        book: by what windows are counted and judged.
        store: where results and state go.
        metrics: where to count.
    """

    def __init__(
        self,
        settings: Settings,
        facts: dict[str, Facts],
        book: TermsBook,
        store: Store,
        metrics: AccuracyMetrics,
    ) -> None:
        self._settings, self._facts, self._book = settings, facts, book
        self._store, self._metrics = store, metrics
        worker = settings.worker
        self._rules = Rules(
            out_of_orderness_ms=worker.out_of_orderness_ms,
            hot_windows=worker.label_windows,
            publish_seconds=worker.publish_seconds,
            # A day that takes a label changes its month, which is the sum of all its days.
            kept_days=worker.label_windows + MONTH_DAYS,
            held_bytes=worker.state_bytes // settings.kafka.partitions,
        )
        self._names: dict[str, Topic] = {facts[topic].name: topic for topic in TOPICS}
        self._windows = settings.kafka.topic_prefix + "windows"
        self._shards: dict[int, tuple[Shard, Lanes]] = {}
        self._published_at = time.monotonic()
        self._restating = Restating(settings, book, store, metrics, self._acknowledge)
        self._paused: set[tuple[str, int]] = set()
        self._lane_bytes = max(worker.prefetch_bytes // (2 * settings.kafka.partitions), 1 << 20)
        self._consumer = Consumer(
            consumer_config(
                settings.kafka,
                settings.kafka.topic_prefix + GROUP,
                session_timeout_ms=worker.session_timeout_ms,
                heartbeat_interval_ms=worker.session_timeout_ms // 6,
                auto_offset_reset="earliest",
                enable_partition_eof="true",
                queued_max_messages_kbytes=max(worker.prefetch_bytes >> 10, 1),
                # Both topics have as many partitions, and this gives a member the same ones of each.
                partition_assignment_strategy="range",
            )
            | reach(settings.kafka, logger)
        )
        self._consumer.subscribe(
            list(self._names), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )

    def turn(self) -> None:
        """Read what has come, take what is next, and publish when that is due.

        Raises:
            KafkaAwayError: the broker stays away.
            StateError: what was stored cannot be taken up.
        """
        for message in self._consumer.consume(TAKE, TAKE_WITHIN_S):
            self._put(message)
        for shard, lanes in self._shards.values():
            while (one := lanes.next()) is not None:
                self._take(shard, *one)
        self._hold_back()
        self._restating.take({partition: shard for partition, (shard, _) in self._shards.items()})
        now_s = time.monotonic()
        full = sum(shard.nbytes for shard, _ in self._shards.values()) > self._settings.worker.state_bytes
        if full or now_s - self._published_at >= self._settings.worker.publish_seconds:
            self.publish()

    def publish(self) -> None:
        """Publish what is due of every shard whose past is whole again, then store where it stands.

        Raises:
            KafkaAwayError: the broker stays away.
        """
        self._published_at = began = time.monotonic()
        now_ms = round(time.time() * 1000)
        for partition, (shard, lanes) in tuple(self._shards.items()):
            if not shard.is_restored:
                continue
            if lanes.is_read:
                shard.idle(now_ms, round(self._settings.worker.idle_seconds * 1000))
            if not shard.changed:
                self._tell(shard)
                continue
            sent = self._store.send(
                (self._windows, None, result.deployment.encode(), result.to_bytes())
                for result in shard.results(now_ms)
            )
            self._metrics.windows.inc(sent)
            records = shard.commit()
            # The broker refuses the commit of a member that it has put out: nothing is stored then.
            if not self._acknowledge(shard):
                self._shards.pop(partition, None)
                return
            *days, row = records
            self._store.send((self._store.name, partition, key, value) for key, value in days)
            self._store.send([(self._store.name, partition, *row)])
            self._metrics.held_bytes.labels(partition).set(shard.nbytes)
            self._metrics.late.labels(partition).set(sum(hot.late.total for hot in shard.hots.values()))
            self._tell(shard)
        whole = [shard for shard, _ in self._shards.values() if shard.is_restored and not shard.changed]
        self._restating.offer(whole)
        self._metrics.publish_seconds.observe(time.monotonic() - began)

    def close(self) -> None:
        """Leave the group."""
        self._restating.stop()
        self._consumer.close()

    def _put(self, message: Message) -> None:
        topic = self._names.get(message.topic() or "")
        held = self._shards.get(message.partition() or 0)
        error = message.error()
        ended = error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 - librdkafka's public code
        if error is not None and not ended:
            if error.fatal():
                raise KafkaAwayError(f"the consumer cannot go on: {error.str()}")
            logger.warning("Kafka: %s", error.str())
        elif topic is not None and held is not None:
            if ended:
                held[1].ended(topic)
                return
            record = Record(
                message.offset() or 0, message.timestamp()[1], message.key(), message.value() or b""
            )
            held[1].put(topic, record)

    def _take(self, shard: Shard, topic: Topic, record: Record) -> None:
        if topic == "predictions":
            shard.take_predictions(
                record.offset, self._read(intake.read, shard, topic, record), record.time_ms
            )
        else:
            shard.take_labels(
                record.offset, self._read(intake.read_labels, shard, topic, record), record.time_ms
            )

    def _read(
        self, read: Callable[..., Columns], shard: Shard, topic: Topic, record: Record
    ) -> Columns | None:
        """Read one record; None for one that intake refuses, which archive writes as a dead letter."""
        partitions, future_ms = self._settings.kafka.partitions, self._settings.worker.future_ms
        try:
            found = read(record.value, record.key, shard.partition, partitions, record.time_ms, future_ms)
        except Refused:
            self._metrics.refused.labels(topic).inc()
            return None
        self._metrics.rows.labels(topic).inc(found.rows)
        return found

    def _hold_back(self) -> None:
        """Fetch no more of a log that is far ahead of the other."""
        for partition, (_, lanes) in self._shards.items():
            for name, topic in self._names.items():
                place, ahead = (name, partition), lanes.size_bytes[topic] > self._lane_bytes
                if ahead and place not in self._paused:
                    self._consumer.pause([TopicPartition(*place)])
                    self._paused.add(place)
                elif not ahead and place in self._paused:
                    self._consumer.resume([TopicPartition(*place)])
                    self._paused.discard(place)

    def _acknowledge(self, shard: Shard) -> bool:
        """Commit what was taken, for those who look at lag; False when this worker is no member any more."""
        try:
            self._consumer.commit(offsets=self._wanted(shard), asynchronous=False)
        except KafkaException as error:
            self._metrics.worker.refused.inc()
            logger.warning("partition %d: not stored, read again: %s", shard.partition, error.args[0].str())
            return False
        return True

    def _wanted(self, shard: Shard) -> list[TopicPartition]:
        """The next offset of each topic, in the order of TOPICS."""
        reached = (shard.predictions, shard.labels)
        names = [self._facts[topic].name for topic in TOPICS]
        return [TopicPartition(n, shard.partition, r + 1) for n, r in zip(names, reached, strict=True)]

    def _tell(self, shard: Shard) -> None:
        """Say that a shard's state is stored, and how far it is behind."""
        for topic, place in zip(TOPICS, self._wanted(shard), strict=True):
            self._metrics.worker.is_stored(topic, shard.partition)
            self._metrics.worker.is_behind(self._consumer, place, topic)

    def _assigned(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Take partitions up where the stored state says."""
        self._revoked(consumer, partitions)
        starts = []
        for partition in sorted({one.partition for one in partitions}):
            shard = Shard(partition, self._book, self._rules)
            shard.topic_ids = (self._facts["predictions"].topic_id, self._facts["labels"].topic_id)
            wanted = shard.starts(self._store.read(partition))
            begins = []
            for topic, first in zip(TOPICS, wanted, strict=True):
                name = self._facts[topic].name
                low, _ = bounds(consumer, TopicPartition(name, partition))
                if low > first:
                    self._count_lost(shard, topic, low - first)
                begins.append(max(low, first))
                starts.append(TopicPartition(name, partition, begins[-1]))
            shard.predictions, shard.labels = begins[0] - 1, begins[1] - 1
            self._shards[partition] = (shard, Lanes())
            for topic in TOPICS:
                self._metrics.worker.is_stored(topic, partition)
        consumer.assign(starts)

    def _count_lost(self, shard: Shard, topic: Topic, lost: int) -> None:
        """Say what retention took; the windows it may have been part of are restated from the archive."""
        self._metrics.lost.labels(topic, shard.partition).inc(lost)
        logger.error(
            "%s, partition %d: retention removed %d records that are needed: windows begun before wait for the archive",
            topic,
            shard.partition,
            lost,
        )
        shard.give_up_hot()

    def _revoked(self, consumer: Consumer, _partitions: Sequence[TopicPartition]) -> None:
        """Give all partitions back; the next owner reads again what was not stored."""
        self._shards.clear()
        self._paused.clear()
        self._metrics.worker.forget_all()
        consumer.unassign()
