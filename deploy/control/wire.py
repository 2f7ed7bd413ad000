"""Wire: how commands reach the controller, and how the audit tells of them; Kafka, or memory in tests."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from driftline.agents.audit.topic import Reader, all_notes_of, notes_of
from driftline.deploy.local.compacted import produce

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from driftline.schemas.settings import Kafka


class Wire(Protocol):
    """Reads the audit, and writes commands."""

    def notes(self) -> Iterable[bytes]:
        """Give the last checkpoints; to be asked before the records."""
        ...

    def every_note(self) -> Iterable[bytes]:
        """Give every checkpoint that there is by now."""
        ...

    def so_far(self) -> Iterator[bytes]:
        """Give every record of the audit, to the end that it has now."""
        ...

    def coming(self, timeout_s: float) -> list[bytes]:
        """Give the records after those of `so_far`, none when none came within a time."""
        ...

    def publish(self, topic: str, value: bytes) -> int:
        """Put a record on a topic, wait until the broker has it, and give its offset."""
        ...

    def close(self) -> None:
        """Leave."""
        ...


class KafkaWire:
    """The wire through Kafka.

    Args:
        kafka: where the brokers are.

    Raises:
        AuditError: Kafka does not answer, or has no audit.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._reader = Reader(kafka)

    def notes(self) -> Iterable[bytes]:
        """Give the last checkpoints."""
        return notes_of(self._kafka)

    def every_note(self) -> Iterable[bytes]:
        """Give every checkpoint that there is by now."""
        return all_notes_of(self._kafka)

    def so_far(self) -> Iterator[bytes]:
        """Give every record of the audit, to the end that it has now."""
        return self._reader.to_the_end()

    def coming(self, timeout_s: float) -> list[bytes]:
        """Give the next records, none when none came within a time."""
        return self._reader.read(timeout_s)

    def publish(self, topic: str, value: bytes) -> int:
        """Put a record on a topic; raises BrokerError when Kafka does not take it."""
        return publish(self._kafka, topic, value)

    def close(self) -> None:
        """Leave the topic."""
        self._reader.close()


def is_empty(kafka: Kafka) -> bool:
    """Whether the audit has no record; raises AuditError when Kafka does not answer, or has no such topic."""
    with closing(Reader(kafka)) as reader:
        return next(reader.to_the_end(), None) is None


def publish(kafka: Kafka, topic: str, value: bytes) -> int:
    """Put a record on a topic, and give its offset; raises BrokerError when Kafka does not take it."""
    return produce(kafka, topic, b"", value)


def wire_of(kafka: Kafka) -> Wire:
    """The wire of an installation; raises AuditError as `KafkaWire` does."""
    return KafkaWire(kafka)
