"""The log as a source: predictions and labels of one deployment, from the offsets of a time to the end.

An event is never older than its record by less than what intake allows, so the records of a span begin no earlier than
the span; they may come as late as they like, and so both topics are read to their ends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from driftline.schemas.clients import consumer_config
from driftline.schemas.partition import partition_of
from driftline.schemas.refusal import Refused
from driftline.streams.archive.errors import KafkaAwayError
from driftline.streams.replay.errors import ReplayError
from driftline.streams.replay.steps import Rows, Step, Truth, Whole
from driftline.streams.windows import intake
from driftline.streams.windows.book import NEVER
from driftline.streams.windows.resolution import DAY_MS

if TYPE_CHECKING:
    from driftline.schemas.columns import LabelColumns, PredictionColumns
    from driftline.schemas.settings import Settings

logger = logging.getLogger(__name__)

ANSWER_S: Final = 15.0
QUIET_S: Final = 60.0
"""How long nothing may come of a log that has more."""
TAKE: Final = 500

Columns = TypeVar("Columns", "PredictionColumns", "LabelColumns")


class Stretch(NamedTuple):
    """Offsets of one partition to be read, `end` exclusive."""

    topic: str
    partition: int
    first: int
    end: int


class _Taken(NamedTuple):
    offset: int
    time_ms: int
    value: bytes | None
    is_mine: bool


class Log:
    """Reads one deployment out of both topics.

    Args:
        settings: where Kafka is, and what intake allows.
        deployment: its name.
        span: since and until, event time in ms.
    """

    name = "kafka"

    def __init__(self, settings: Settings, deployment: str, span: tuple[int, int]) -> None:
        self._settings, self._deployment, self._span = settings, deployment.encode(), span
        self.partition = partition_of(self._deployment, settings.kafka.partitions)
        config = consumer_config(settings.kafka, "driftline-replay", enable_partition_eof="true")
        self._consumer = Consumer({**config, "log_level": 2})
        self._newest_ms = NEVER
        self._has_labels = False
        self.total = 0
        self.reached = (-1, -1)

    def __enter__(self) -> Self:
        """Give the log itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()

    def open(self) -> None:
        """Find what is to be read.

        Raises:
            ReplayError: retention has removed records that may belong to the span.
            KafkaAwayError: the broker does not answer, or lacks a topic.
        """
        since_ms = self._span[0] - self._settings.worker.future_ms
        try:
            # Labels may come before their predictions; the live join keeps them for a day.
            self._labels = self._stretch("labels", since_ms - DAY_MS)
            self._predictions = self._stretch("predictions", since_ms)
        except KafkaException as error:
            raise KafkaAwayError(
                f"Kafka at {self._settings.kafka.bootstrap} does not answer ({error.args[0].str()}): "
                "see 'driftline doctor'"
            ) from error
        self.total = sum(one.end - one.first for one in (self._labels, self._predictions))
        self.reached = (self._predictions.end - 1, self._labels.end - 1)

    def steps(self) -> Iterator[tuple[int, Step | None]]:
        """Give labels, then predictions, then that all has come.

        Without a label nothing is held against labels. Raises KafkaAwayError when the broker stays away.
        """
        for record in self._records(self._labels):
            truth = self._read(intake.read_labels, record)
            if truth is not None:
                self._has_labels = True
            yield 1, None if truth is None else Truth(record.offset, truth)
        since_ms, until_ms = self._span
        for record in self._records(self._predictions):
            cols = self._read(intake.read, record)
            if cols is None:
                yield 1, None
                continue
            oldest, newest = cols.span_ms
            reached_ms = self._newest_ms - self._settings.worker.out_of_orderness_ms
            self._newest_ms = max(self._newest_ms, newest)
            to_join, heard_ms = self._has_labels, record.time_ms
            rows = Rows(record.offset, cols, heard_ms, to_count=True, to_join=to_join, reached_ms=reached_ms)
            yield 1, rows if newest >= since_ms and oldest < until_ms else None
        yield 0, Whole(None, self._newest_ms)

    def _stretch(self, topic: str, since_ms: int) -> Stretch:
        name = self._settings.kafka.topic_prefix + topic
        place = TopicPartition(name, self.partition)
        low, high = self._consumer.get_watermark_offsets(place, timeout=ANSWER_S)
        asked = TopicPartition(name, self.partition, max(since_ms, 0))
        found = self._consumer.offsets_for_times([asked], timeout=ANSWER_S)[0]
        if found.error is not None:
            raise KafkaException(found.error)
        first = high if found.offset < 0 else max(found.offset, low)
        stretch = Stretch(name, self.partition, first, high)
        if low > 0 and first == low and low < high:
            oldest = next(self._records(stretch)).time_ms
            raise ReplayError(
                f"topic {name!r} goes back to {_time(oldest)}, since is {_time(self._span[0])}: choose a later "
                "--since, or --source archive"
            )
        return stretch

    def _records(self, stretch: Stretch) -> Iterator[_Taken]:
        """Give every record of a stretch."""
        if stretch.first >= stretch.end:
            return
        self._consumer.assign([TopicPartition(*stretch[:3])])
        quiet_s = 0.0
        while True:
            messages = self._consumer.consume(TAKE, 1.0)
            quiet_s = 0.0 if messages else quiet_s + 1.0
            if quiet_s > QUIET_S:
                raise KafkaAwayError(
                    f"topic {stretch.topic!r} gave nothing for {QUIET_S:g} s: see 'driftline doctor'"
                )
            for message in messages:
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's public code
                        return
                    logger.warning("topic %s: %s", stretch.topic, error.str())
                    continue
                offset = message.offset() or 0
                if offset >= stretch.end:
                    return
                is_mine = message.key() == self._deployment
                yield _Taken(offset, message.timestamp()[1], message.value() if is_mine else None, is_mine)
                if offset == stretch.end - 1:
                    return

    def _read(self, read: Callable[..., Columns], record: _Taken) -> Columns | None:
        """Read a record of the deployment; None for another's, and for one that intake refuses."""
        if not record.is_mine:
            return None
        partitions, future_ms = self._settings.kafka.partitions, self._settings.worker.future_ms
        try:
            return read(record.value, self._deployment, self.partition, partitions, record.time_ms, future_ms)
        except Refused:
            return None


def _time(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
