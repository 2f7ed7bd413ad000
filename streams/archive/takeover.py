"""Takeover: what a worker asks the broker before it takes partitions up."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition

from driftline.streams.archive.errors import KafkaAwayError, TopicError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.streams.archive.place import Place

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
ANSWER_SECONDS = 10.0
PAUSE_SECONDS = 0.5
# A broker is back some 5 s after a kill -9, a slow one within a minute; polls may be 300 s apart.
PATIENCE_SECONDS = 90.0


def patiently(question: Callable[[], Answer]) -> Answer:
    """Ask the broker for as long as one of its restarts takes.

    Raises:
        KafkaAwayError: no answer in that time. The worker then ends, and begins again from the group's commits.
    """
    deadline_s = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return question()
        except (KafkaException, KafkaAwayError) as error:
            if time.monotonic() > deadline_s:
                raise KafkaAwayError(
                    f"the broker did not answer for {PATIENCE_SECONDS:g} s: {error}"
                ) from error
            logger.warning("waiting for Kafka: %s", error)
            time.sleep(PAUSE_SECONDS)


def committed(consumer: Consumer, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
    """Read the group's commits, metadata included; raises as `patiently`."""

    def ask() -> list[TopicPartition]:
        found = consumer.committed(list(partitions), timeout=ANSWER_SECONDS)
        for one in found:
            if one.error is not None:
                raise KafkaException(one.error)
        return found

    return patiently(ask)


def bounds(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    """Give the first offset a log still has, and the one after its last; raises as `patiently`."""
    plain = TopicPartition(partition.topic, partition.partition)
    return patiently(lambda: consumer.get_watermark_offsets(plain, timeout=ANSWER_SECONDS))


def lost(place: Place, position: int, low: int, high: int) -> int:
    """Give how many offsets retention removed before they were stored.

    Args:
        place: the partition.
        position: the next offset to store.
        low: the first offset the log still has.
        high: the one after its last.

    Raises:
        TopicError: the log ends before the position: the broker lost what was read of it.
    """
    if position > high:
        raise TopicError(
            f"{place} ends at offset {high}, but offset {position} was read before: the broker lost records; "
            "reset the group's offsets once you know what is missing",
        )
    return max(0, low - position)
