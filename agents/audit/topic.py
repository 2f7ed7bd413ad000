"""Topics of the audit as they are read: committed records only, in order, from a thin loop with bounded memory."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)

from driftline.agents.audit.checkpoint import size_of
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import TOPIC
from driftline.schemas.settings import consumer_config, producer_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driftline.schemas.settings import Kafka

NOTES: Final = "checkpoints"
"""The topic of checkpoints: those that the log signed, and those that witnesses signed too."""
LAST_NOTES: Final = 10_000
"""How many messages at the end of that topic are read."""
ANSWER_S: Final = 15.0
NOTE_S: Final = 3.0
_LOOK_S: Final = 0.2
_BATCH: Final = 500
_QUIET: Final = 2
_KILOBYTES: Final = 16_384
_END_MS: Final = 50


class Reader:
    """Reads the one partition of a topic of the audit.

    Args:
        kafka: where the broker is.
        topic: name without the prefix.
        last: begin so many messages before the end; None begins at the first.
        committed: give committed records only, up to the first transaction that is open.

    Raises:
        AuditError: Kafka does not answer, or there is no such topic.
    """

    def __init__(
        self, kafka: Kafka, topic: str = TOPIC, *, last: int | None = None, committed: bool = True
    ) -> None:
        self._kafka, self._name = kafka, kafka.topic_prefix + topic
        self.is_at_end = False
        """Whether everything was read that was committed when that was last said."""
        config = consumer_config(
            kafka,
            f"driftline-audit-{topic}",
            enable_partition_eof="true",
            queued_max_messages_kbytes=_KILOBYTES,
            # The broker tells of the end only after so long.
            fetch_wait_max_ms=_END_MS,
            auto_offset_reset="error",
            isolation_level="read_committed" if committed else "read_uncommitted",
        )
        self._refused = ""
        self._consumer = Consumer({**config, "log_level": _QUIET, "error_cb": self._hear})
        try:
            self._consumer.assign([TopicPartition(self._name, 0, self._start(last))])
        except KafkaException as error:
            # What was heard meanwhile is given on by the next call alone.
            self._consumer.poll(0)
            away = self._away(error.args[0].str())
            self.close()
            raise away from error
        except AuditError:
            self.close()
            raise

    def close(self) -> None:
        """Leave the topic."""
        self._consumer.close()

    def read(self, timeout_s: float) -> list[bytes]:
        """Give the values of the next records, none when none came within a time; raises as `pairs`."""
        return [value for _, value in self.pairs(timeout_s)]

    def pairs(self, timeout_s: float) -> list[tuple[bytes, bytes]]:
        """Give the next records, keys and values, none when none came within a time; what is null is empty.

        Raises:
            AuditError: Kafka cannot be read.
        """
        try:
            # Told to wait for a batch, the client waits for a whole one: wait for one message, then take what is there.
            messages = self._consumer.consume(1, timeout_s)
            messages += self._consumer.consume(_BATCH - 1, 0) if messages else []
        except KafkaException as error:
            raise self._away(error.args[0].str()) from error
        found = []
        for message in messages:
            wrong = message.error()
            if wrong is None:
                self.is_at_end, self._refused = False, ""
                found.append((message.key() or b"", message.value() or b""))
            elif wrong.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's public code
                self.is_at_end, self._refused = True, ""
            elif wrong.fatal() or not wrong.retriable():
                raise self._away(wrong.str())
        return found

    def to_the_end(self) -> Iterator[bytes]:
        """Give the value of every record up to the end as it is once reached; raises as `pairs_to_the_end`."""
        return (value for _, value in self.pairs_to_the_end())

    def pairs_to_the_end(self) -> Iterator[tuple[bytes, bytes]]:
        """Give every record, key and value, up to the end as it is once reached.

        Raises:
            AuditError: Kafka cannot be read, or stopped answering.
        """
        heard_s = time.monotonic()
        while not self.is_at_end:
            found = self.pairs(1.0)
            if found or self.is_at_end:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > ANSWER_S:
                raise self._away("it stopped answering")
            yield from found

    def _start(self, last: int | None) -> int:
        known = self._consumer.list_topics(self._name, timeout=ANSWER_S).topics[self._name]
        if known.error is not None and known.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise AuditError(
                f"Kafka at {self._kafka.bootstrap} lets this user read no topic {self._name!r}: 'driftline access "
                "kafka' shows which role may"
            )
        if known.error is not None:
            raise AuditError(
                f"Kafka at {self._kafka.bootstrap} has no topic {self._name!r}: 'driftline up' or 'driftline migrate "
                "--topics' makes it"
            )
        if last is None:
            return OFFSET_BEGINNING
        low, high = self._consumer.get_watermark_offsets(TopicPartition(self._name, 0), timeout=ANSWER_S)
        return max(low, high - last)

    def _hear(self, error: KafkaError) -> None:
        if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001 - librdkafka's public code
            self._refused = error.str()

    def _away(self, why: str) -> AuditError:
        if self._refused and self._kafka.sasl_username:
            return AuditError(
                f"Kafka at {self._kafka.bootstrap} lets user {self._kafka.sasl_username!r} not in ({self._refused}): "
                "give the name and the password by DRIFTLINE_KAFKA_SASL_USERNAME and DRIFTLINE_KAFKA_SASL_PASSWORD"
            )
        return AuditError(
            f"topic {self._name!r} of Kafka at {self._kafka.bootstrap} cannot be read ({why}): start a stack with "
            "'driftline up', or name yours with DRIFTLINE_KAFKA_BOOTSTRAP"
        )


def notes_of(kafka: Kafka) -> list[bytes]:
    """Read the last checkpoints; raises AuditError as `Reader` does."""
    with closing(Reader(kafka, NOTES, last=LAST_NOTES)) as reader:
        return list(reader.to_the_end())


class Whole:
    """The audit to its end, and the checkpoints of that: the last one came after the first record was read.

    Raises:
        AuditError: from both, as `Reader` does.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self.size = self.count = 0
        """Records and checkpoints that were given so far."""

    def records(self) -> Iterator[bytes]:
        """Give every record."""
        with closing(Reader(self._kafka)) as reader:
            for data in reader.to_the_end():
                self.size += 1
                yield data

    def notes(self) -> Iterator[bytes]:
        """Give the last checkpoints of at most the records that were given, and messages that are none.

        That of the end is waited for a moment: a broker ends a transaction in one topic after the other.
        """
        until_s = time.monotonic() + NOTE_S
        while True:
            found = [(data, size_of(data)) for data in notes_of(self._kafka)]
            if time.monotonic() > until_s or any(at is not None and at >= self.size for _, at in found):
                break
            time.sleep(_LOOK_S)
        for data, at in found:
            if at is None or at <= self.size:
                self.count += 1
                yield data


def all_notes_of(kafka: Kafka) -> Iterator[bytes]:
    """Read every checkpoint, also behind a transaction that is left open; raises AuditError as `Reader` does."""
    with closing(Reader(kafka, NOTES, committed=False)) as reader:
        yield from reader.to_the_end()


def publish(kafka: Kafka, name: str, note: bytes) -> None:
    """Put a witness's checkpoint on the topic and wait until the broker has it.

    Args:
        kafka: where the broker is.
        name: of the witness.
        note: the checkpoint with its signatures.

    Raises:
        AuditError: Kafka did not take it.
    """
    failures: list[KafkaError] = []
    config = producer_config(kafka, message_timeout_ms=int(ANSWER_S * 1_000))
    producer = Producer({**config, "log_level": _QUIET})
    producer.produce(
        kafka.topic_prefix + NOTES,
        note,
        name.encode(),
        on_delivery=lambda error, _message: failures.append(error) if error is not None else None,
    )
    if producer.flush(ANSWER_S + 1) or failures:
        why = failures[0].str() if failures else "no answer"
        raise AuditError(f"Kafka at {kafka.bootstrap} did not take a checkpoint: {why}")
