"""Tenure: the time for which this worker owns one partition, and the commits it may make in it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from driftline.streams.archive.errors import FencedError, GoneError, KafkaAwayError
from driftline.streams.archive.place import plan_text, position_text

if TYPE_CHECKING:
    from confluent_kafka import Consumer

    from driftline.streams.archive.block import Block
    from driftline.streams.archive.place import Place

# What a broker says to a member of a generation that is over.
_FENCED = frozenset(
    (
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError._ASSIGNMENT_LOST,  # noqa: SLF001 - librdkafka's own codes are public under this name
    ),
)


@dataclass(slots=True)
class Tenure:
    """One partition from assignment to revocation; `name` is the topic with its prefix."""

    place: Place
    name: str
    alive: bool = True
    stored: int | None = None
    """Last offset in ClickHouse's book of blocks; None until asked."""
    waiting: int = 0
    """Blocks cut and not stored yet."""
    position: int = 0
    """Next offset to store."""
    reached_ms: int | None = None
    """Broker's time of the record last stored, or first read: what is not stored came then or later."""


@dataclass(slots=True)
class Commits:
    """Synchronous commits of one consumer, fenced three times.

    The broker refuses a commit of an old generation. But the client rejoins by itself, and would then commit an old
    block under its new generation: so each commit is made under a lock that revocation takes too, for a tenure that is
    alive. And a member that was put out commits as nobody, which the broker takes when the group is empty by then: so
    nothing is committed unless the group's business was served within `patience_s` (half a session).
    """

    consumer: Consumer
    patience_s: float
    served_s: float = field(default_factory=time.monotonic)
    """When the reader last served the group's business (monotonic)."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, tenure: Tenure) -> TenurePlans:
        """Give the plans of one tenure, as the steps of a block take them."""
        return TenurePlans(self, tenure)

    def end(self, tenure: Tenure) -> None:
        """End a tenure; afterwards nothing is committed for it."""
        with self.lock:
            tenure.alive = False

    def commit(self, tenure: Tenure, offset: int, metadata: str) -> None:
        """Commit one offset. Raises GoneError, FencedError, KafkaAwayError."""
        wanted = TopicPartition(tenure.name, tenure.place.partition, offset, metadata)
        with self.lock:
            if not tenure.alive:
                raise GoneError(f"{tenure.place} was taken away from this worker: its next owner goes on")
            if time.monotonic() - self.served_s > self.patience_s:
                raise FencedError(f"{tenure.place}: this worker slept, the group may have put it out")
            try:
                answers = self.consumer.commit(offsets=[wanted], asynchronous=False)
            except KafkaException as error:
                raise _sorted(tenure, error.args[0]) from error
            except RuntimeError as error:
                raise GoneError(f"{tenure.place}: the consumer is closed") from error
        for answer in answers or ():
            if answer.error is not None:
                raise _sorted(tenure, answer.error)


@dataclass(frozen=True, slots=True)
class TenurePlans:
    """Kafka's side of the book for one tenure."""

    commits: Commits
    tenure: Tenure

    def plan(self, block: Block) -> None:
        """Commit the block's bounds; raises as `Commits.commit`."""
        self.commits.commit(self.tenure, block.first, plan_text(block.place, block.last))

    def position(self, offset: int) -> None:
        """Commit a position without a plan: everything below it is stored; raises as `Commits.commit`."""
        self.commits.commit(self.tenure, offset, position_text(self.tenure.place))


def _sorted(tenure: Tenure, error: KafkaError) -> FencedError | KafkaAwayError:
    if error.code() in _FENCED:
        return FencedError(
            f"{tenure.place}: the broker refused a commit, the group moved on ({error.name()})"
        )
    return KafkaAwayError(f"{tenure.place}: the broker took no commit ({error.name()}: {error.str()})")
