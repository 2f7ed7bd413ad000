"""Reader: the consumer's side of the archive. Takes partitions up, turns messages into entries, cuts blocks."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from driftline.schemas.clients import consumer_config
from driftline.schemas.reach import reach
from driftline.schemas.topics import topic as contract
from driftline.streams.archive import shelves, takeover, topics
from driftline.streams.archive.errors import KafkaAwayError, TopicError
from driftline.streams.archive.lane import Lane, Limits
from driftline.streams.archive.place import Place, opening
from driftline.streams.archive.record import Record
from driftline.streams.archive.tenure import Commits, Tenure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.schemas.settings import Settings
    from driftline.streams.archive.block import Block
    from driftline.streams.archive.keeper import Keeper
    from driftline.streams.archive.letter import Headers
    from driftline.streams.archive.topics import Facts
    from driftline.streams.metrics import ArchiveMetrics

logger = logging.getLogger(__name__)

GROUP = "driftline-archive"
# A block is also full at this many bytes as they travelled, or records: wide rows, or rows that come one by one.
BLOCK_BYTES = 32 << 20
BLOCK_RECORDS = 50_000


class Reader:
    """One member of the group. For one thread; the keeper's thread shares `commits` alone."""

    def __init__(self, settings: Settings, facts: Mapping[str, Facts], metrics: ArchiveMetrics) -> None:
        """Make the consumer; nothing is subscribed yet.

        Args:
            settings: addresses and limits.
            facts: the topics to read, as the broker has them.
            metrics: where to count.
        """
        self._settings, self._facts, self._metrics = settings, dict(facts), metrics
        self._by_name = {fact.name: fact for fact in facts.values()}
        self._lanes: dict[tuple[str, int], tuple[Lane, Tenure]] = {}
        worker = settings.worker
        self.consumer = Consumer(
            consumer_config(
                settings.kafka,
                settings.kafka.topic_prefix + GROUP,
                session_timeout_ms=worker.session_timeout_ms,
                heartbeat_interval_ms=worker.session_timeout_ms // 6,
                socket_timeout_ms=10_000,
                # What retention removed must be said, not skipped.
                auto_offset_reset="error",
                # The end of a log completes a planned block whose last offsets hold no record.
                enable_partition_eof="true",
                queued_max_messages_kbytes=max(worker.prefetch_bytes >> 10, 1),
                fetch_max_bytes=max(worker.prefetch_bytes // 2, 4 << 20),
                partition_assignment_strategy="range",
            )
            | reach(settings.kafka, logger),
        )
        self.commits = Commits(self.consumer, worker.session_timeout_ms / 2000)
        archive = settings.archive
        self.limits = Limits(archive.block_rows, BLOCK_BYTES, BLOCK_RECORDS, archive.block_seconds)
        self._keeper: Keeper | None = None
        self._paused = False

    @property
    def tenures(self) -> list[tuple[Lane, Tenure]]:
        """The partitions owned now."""
        return list(self._lanes.values())

    def subscribe(self, keeper: Keeper) -> None:
        """Join the group; blocks go to `keeper`."""
        self._keeper = keeper
        names = [fact.name for fact in self._facts.values()]
        self.consumer.subscribe(
            names, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )

    def read(self) -> bool:
        """Take one message if one is there; say whether one was. Does not wait.

        A poll that waits keeps other threads out of the consumer in confluent-kafka 2.16, and with it the keeper's
        commits, for as long as polls follow one another.

        Raises:
            TopicError: a topic is not what it was.
            KafkaAwayError: the broker does not say what an assignment needs.
        """
        message = self.consumer.poll(0)
        self.commits.served_s = time.monotonic()
        if message is None:
            return False
        error = message.error()
        if error is None:
            self._take(message)
            return True
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own codes are public under this name
            self._reached(message)
            return True
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):  # noqa: SLF001
            self._out_of_range(message)
        elif error.fatal():
            raise KafkaAwayError(f"the consumer cannot go on: {error.str()}")
        else:
            logger.warning("Kafka: %s", error.str())
        return False

    def cut(self, *, closing: bool = False) -> None:
        """Give every block that is due to the keeper; time alone cuts none while one of the lane still waits."""
        now_s = time.monotonic()
        for lane, tenure in self._lanes.values():
            full = lane.rows >= self.limits.rows or lane.size_bytes >= self.limits.size_bytes
            if tenure.waiting and not (full or closing):
                continue
            self._give(tenure, lane.cut(self.limits, now_s, closing=closing))

    def held_bytes(self) -> int:
        """Bytes of records that no block holds yet."""
        return sum(lane.size_bytes for lane, _ in self._lanes.values())

    def pause(self) -> None:
        """Fetch nothing; the group's business goes on in `read`."""
        if not self._paused:
            self.consumer.pause(self.consumer.assignment())
            self._paused = True

    def resume(self) -> None:
        """Fetch again."""
        if self._paused:
            self.consumer.resume(self.consumer.assignment())
            self._paused = False

    def close(self) -> None:
        """Leave the group."""
        for _, tenure in self._lanes.values():
            self.commits.end(tenure)
        self._lanes.clear()
        self.consumer.close()

    def lag(self) -> dict[tuple[str, int], int]:
        """Give messages between what is stored and the end of each log, as far as the client knows it."""
        lags = {}
        for key, (_, tenure) in self._lanes.items():
            try:
                _, high = self.consumer.get_watermark_offsets(
                    TopicPartition(tenure.name, tenure.place.partition), cached=True
                )
            except KafkaException:
                continue
            lags[key] = max(0, high - tenure.position)
        return lags

    def _take(self, message: Message) -> None:
        held = self._lanes.get(_place(message))
        if held is None:
            return
        lane, tenure = held
        _kind, time_ms = message.timestamp()
        record = Record(
            tenure.place.topic,
            tenure.place.partition,
            _offset(message),
            time_ms,
            message.key(),
            message.value() or b"",
            _headers(message),
        )
        fact = self._facts[tenure.place.topic]
        terms = shelves.Terms(fact.partitions, self._settings.worker.future_ms)
        entry = shelves.take(shelves.SHELVES[tenure.place.topic], record, terms)
        if tenure.reached_ms is None and time_ms > 0:
            tenure.reached_ms = time_ms
        self._give(tenure, lane.take(entry, time.monotonic()))

    def _reached(self, message: Message) -> None:
        held = self._lanes.get(_place(message))
        if held is not None:
            lane, tenure = held
            self._give(tenure, lane.reached(_offset(message)))

    def _give(self, tenure: Tenure, block: Block | None) -> None:
        if block is not None and self._keeper is not None:
            self._keeper.give(tenure, block)

    def _assigned(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Take partitions up where the group's commits, and the logs, say."""
        fresh = takeover.patiently(lambda: topics.describe(self._settings.kafka, list(self._facts)))
        for topic, fact in fresh.items():
            if fact != self._facts[topic]:
                raise TopicError(
                    f"topic {fact.name!r} was changed or made anew while archive ran: start it again"
                )
        committed = takeover.committed(consumer, partitions)
        starts = []
        for found in committed:
            fact = self._by_name[found.topic]
            place = Place(fact.topic, fact.topic_id, found.partition)
            low, high = takeover.bounds(consumer, found)
            start = opening(place, found.offset, found.metadata)
            if start.first is not None:
                self._count_lost(place, takeover.lost(place, start.first, low, high), low)
            lane = Lane(place, start, low)
            self._lanes[(found.topic, found.partition)] = (
                lane,
                Tenure(place, fact.name, position=lane.first),
            )
            starts.append(TopicPartition(found.topic, found.partition, lane.next))
        consumer.assign(starts)
        if self._paused:
            consumer.pause(starts)
        logger.info(
            "owns %s", ", ".join(str(tenure.place) for _, tenure in self._lanes.values()) or "nothing"
        )

    def _revoked(self, consumer: Consumer, _partitions: Sequence[TopicPartition]) -> None:
        """Give all partitions back; what was not stored is read again by the next owner."""
        for _, tenure in self._lanes.values():
            self.commits.end(tenure)
        self._lanes.clear()
        consumer.unassign()

    def _count_lost(self, place: Place, lost: int, low: int) -> None:
        """Say loudly what retention took."""
        if lost:
            self._metrics.lost.labels(place.topic, place.partition).inc(lost)
            logger.error(
                "%s: LOST %d records: retention removed offsets %d to %d before ClickHouse had them; "
                "going on from the log's start",
                place, lost, low - lost, low - 1,
            )  # fmt: skip

    def _out_of_range(self, message: Message) -> None:
        """Retention passed the position while we were reading: take the partition up anew at the log's start."""
        key = _place(message)
        held = self._lanes.get(key)
        if held is None:
            return
        lane, tenure = held
        low, high = takeover.bounds(self.consumer, TopicPartition(*key))
        self._count_lost(tenure.place, takeover.lost(tenure.place, lane.next, low, high), low)
        lane.next = max(lane.next, low)
        self.consumer.seek(TopicPartition(*key, lane.next))


def headroom_seconds(tenure: Tenure, lag: int, now_ms: int) -> float | None:
    """Give how long until retention removes what is not stored yet; None for a topic that keeps all.

    Args:
        tenure: the partition.
        lag: messages not stored yet; with none the whole retention is left.
        now_ms: wall clock, ms since 1970.
    """
    retention_ms = contract(tenure.place.topic).retention_ms
    if retention_ms is None:
        return None
    age_ms = max(0, now_ms - tenure.reached_ms) if lag and tenure.reached_ms else 0
    return (retention_ms - age_ms) / 1000


def _place(message: Message) -> tuple[str, int]:
    """Give the topic's full name and the partition; a message that was polled has both."""
    return message.topic() or "", message.partition() or 0


def _offset(message: Message) -> int:
    """Give the offset; a message that was polled has one."""
    offset = message.offset()
    return -1 if offset is None else offset


def _headers(message: Message) -> Headers:
    """Give the headers as names and bytes; producers may have sent text. Names that are no UTF-8 leave none."""
    try:
        given = message.headers() or ()
    except (
        SystemError,
        UnicodeDecodeError,
    ):  # the client fails so on such a name; the record itself is whole
        return ()
    pairs = given.items() if isinstance(given, dict) else given
    return tuple((name, value.encode() if isinstance(value, str) else value) for name, value in pairs)
