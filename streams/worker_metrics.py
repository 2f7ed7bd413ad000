"""Metrics that several stream workers have: how far each partition is, and the disks under the archive."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException
from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from confluent_kafka import Consumer, TopicPartition
    from prometheus_client import CollectorRegistry


class WorkerMetrics:
    """What each stream worker tells about the partitions that it owns; another one's partitions are no line here."""

    def __init__(self, registry: CollectorRegistry) -> None:
        place = ["topic", "partition"]
        self.stored = Gauge(
            "driftline_worker_stored_timestamp_seconds",
            "When all that was taken of a partition was last known to be stored, in seconds since 1970.",
            place,
            registry=registry,
        )
        self.lag = Gauge(
            "driftline_worker_lag_messages",
            "Messages between the log's end and what was taken (drift and archive have a lag of their own).",
            place,
            registry=registry,
        )
        self.refused = Counter(
            "driftline_worker_commits_refused",
            "Positions that the broker did not take; what they cover is read again.",
            registry=registry,
        )

    def is_stored(self, topic: str, partition: int) -> None:
        """All that was taken of a partition is stored now; also said when it is taken up."""
        self.stored.labels(topic, partition).set(time.time())

    def is_behind(self, consumer: Consumer, place: TopicPartition, topic: str) -> None:
        """Set the lag of a partition, as far as the client knows the log's end.

        Args:
            consumer: reads it.
            place: the partition, and the next offset that is wanted of it.
            topic: without its prefix.
        """
        try:
            _, high = consumer.get_watermark_offsets(place, cached=True)
        except KafkaException:
            return
        if high >= 0:
            self.lag.labels(topic, place.partition).set(max(0, high - place.offset))

    def forget(self, topic: str, partition: int) -> None:
        """Another worker tells of a partition now: two figures for one would be read as two partitions."""
        for gauge in (self.stored, self.lag):
            with contextlib.suppress(KeyError):
                gauge.remove(topic, str(partition))

    def forget_all(self) -> None:
        """All partitions were given back."""
        self.stored.clear()
        self.lag.clear()


class HousekeepingMetrics:
    """What `worker archive` tells about its housekeeping: disks as `system.disks` has them, and what it cannot do."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.free = Gauge(
            "driftline_archive_disk_free_bytes",
            "Bytes that a disk of ClickHouse still takes.",
            ["disk"],
            registry=registry,
        )
        self.total = Gauge(
            "driftline_archive_disk_total_bytes",
            "Bytes of a disk of ClickHouse.",
            ["disk"],
            registry=registry,
        )
        self.failing = Gauge(
            "driftline_archive_housekeeping_failing",
            "1 while the last attempt at a part of the archive's housekeeping failed.",
            ["work"],
            registry=registry,
        )
