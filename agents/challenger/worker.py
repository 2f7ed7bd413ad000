"""`driftline worker challenger`: answers a deployment's events once more, with another package.

    1. Records are read from the one partition that has the deployment.
    2. Each batch is scored, sealed by the batch that it comes of, and put into the same partition.
    3. When the broker has acknowledged all of them, the position is committed, and nothing waits for that. While it is
       away they are sent again.

All events of a deployment lie in one partition: of several members of the group one answers, and the others stand by.
A crash between 2 and 3 scores some batches again; they come under the same seals, and are counted once.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaError

from driftline.agents import group
from driftline.agents.challenger.packing import packed
from driftline.agents.challenger.scoring import scored
from driftline.agents.challenger.sending import ChallengerError, Sending
from driftline.schemas.clients import consumer_config
from driftline.schemas.columns import read_predictions
from driftline.schemas.partition import partition_of
from driftline.schemas.reach import reach
from driftline.schemas.refusal import Refused
from driftline.schemas.topics import PREDICTIONS

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from confluent_kafka import Message, TopicPartition

    from driftline.agents.challenger.scoring import Scorer
    from driftline.agents.serving.package.manifest import Manifest
    from driftline.schemas.settings import Kafka

logger = logging.getLogger(__name__)

AT_ONCE: Final = 16
"""Records read, scored and acknowledged together: the bound of what is held, 1 MB each at most."""
TELL_S: Final = 60.0
LONGEST_MS: Final = 30 * 60 * 1_000
"""That a model may take for the batches read at once, before the group takes the partition away."""
_POLL_S: Final = 0.5


@dataclass(slots=True)
class Tally:
    """What was done since the start.

    Attributes:
        batches, rows: that were scored.
        errors: rows of them that were sent as errors.
        unread: records that could not be read, or leave no room for an answer.
    """

    batches: int = 0
    rows: int = 0
    errors: int = 0
    unread: int = 0


class Challenger:
    """One member of the group; for one thread.

    Args:
        kafka: where the brokers are.
        deployment: whose events.
        manifest: of the package.
        scorer: answers with it.
        from_end: whether a group without a position begins at the end of the log, not at its beginning.
    """

    def __init__(
        self, kafka: Kafka, deployment: str, manifest: Manifest, scorer: Scorer, *, from_end: bool = False
    ) -> None:
        self._deployment, self._version, self._scorer = deployment, manifest.version, scorer
        self._topic = kafka.topic_prefix + PREDICTIONS
        self._home = partition_of(deployment.encode(), kafka.partitions)
        self.tally = Tally()
        name = f"{kafka.topic_prefix}driftline-challenger-{deployment}-{manifest.name}-{manifest.version}"
        hearing = reach(kafka, logger)
        self._consumer = Consumer(
            consumer_config(
                kafka,
                name,
                auto_offset_reset="latest" if from_end else "earliest",
                max_poll_interval_ms=LONGEST_MS,
                queued_max_messages_kbytes=16_384,
            )
            | hearing
            | group.TELLING
        )
        self._sending = Sending(kafka, self._topic, deployment, hearing)
        self._has_warned = False
        self._is_mine, self._is_silent = False, True

    def run(self, stopping: threading.Event) -> None:
        """Score until told to stop.

        Raises:
            ChallengerError: the topic cannot be read, or the broker refuses what was scored.
        """
        self._consumer.subscribe([self._topic], on_assign=self._assigned)
        told_s = time.monotonic()
        try:
            while not stopping.is_set():
                self._turn(self._consumer.consume(AT_ONCE, _POLL_S), stopping)
                if time.monotonic() - told_s > TELL_S:
                    told_s = time.monotonic()
                    logger.info("scored %d rows in %d batches, %d errors", *self._counts())
                    self._warn_of_silence()
        finally:
            group.leave(self._consumer)
        logger.info("stopped: scored %d rows in %d batches, %d errors", *self._counts())

    def _counts(self) -> tuple[int, int, int]:
        return self.tally.rows, self.tally.batches, self.tally.errors

    def _turn(self, messages: Sequence[Message], stopping: threading.Event) -> None:
        taken = []
        for message in messages:
            wrong = message.error()
            if wrong is None:
                self._take(message)
                taken.append(message)
            elif wrong.fatal() or wrong.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise ChallengerError(f"topic {self._topic!r} cannot be read: {wrong.str()}")
        if not taken or not self._sending.settle(stopping):
            # What was stopped on its way is scored again by whoever goes on.
            return
        group.commit(self._consumer, taken[-1])

    def _take(self, message: Message) -> None:
        if message.key() != self._deployment.encode():
            return
        self._is_silent = False
        try:
            cols = scored(read_predictions(message.value() or b""), self._deployment, self._version)
        except Refused:
            # The archive tells of it; here it is no event.
            self.tally.unread += 1
            return
        if cols is None:
            return
        try:
            data, errors, why = packed(self._scorer.answer(cols))
        except Refused as refusal:
            self.tally.unread += 1
            self._warn_once(
                f"{cols.rows:,} events leave no room for an answer and have none: {refusal.detail}"
            )
            return
        if why is not None:
            self._warn_once(f"the answers to {cols.rows:,} events are no batch and count as errors: {why}")
        self._sending.put(data, message.partition() or 0)
        self.tally.batches += 1
        self.tally.rows += cols.rows
        self.tally.errors += errors

    def _warn_of_silence(self) -> None:
        """Say once that nothing came of the deployment: its name may be misspelt."""
        if self._is_mine and self._is_silent:
            self._is_silent = False
            logger.warning(
                "no event of %r has come yet: is it a deployment? 'driftline emitters' shows whose events come",
                self._deployment,
            )

    def _warn_once(self, sentence: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning("%s; later ones are counted alone", sentence)

    def _assigned(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Take the deployment's partition alone: nothing of it lies in another."""
        mine = [one for one in partitions if one.partition == self._home]
        consumer.assign(mine)
        self._is_mine = bool(mine)
        logger.info(
            "%s", f"answers {self._deployment!r}" if mine else "another member answers; this one waits"
        )
