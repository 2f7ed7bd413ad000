"""Pen: the transactional producer; audit, states, profiles, checkpoints and positions are written together or not."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaException, Producer, TopicPartition

from driftline.agents.audit.record import TOPIC as AUDIT
from driftline.agents.audit.topic import NOTES
from driftline.agents.control.controller.broker import QUIET
from driftline.schemas.settings import producer_config
from driftline.schemas.topics import PROFILES, STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.agents.control.controller.turn import Turn
    from driftline.schemas.settings import Kafka

TRANSACTIONAL: Final = "driftline-controller"
"""With the topics' prefix, the id that all controllers share: the last one to begin fences those before it."""
TIMEOUT_MS: Final = 10_000
BEGIN_S: Final = 30.0


class Pen:
    """Writes turns.

    Raises:
        KafkaException: from every method: the transaction is not committed, or nobody knows; read the audit again.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._prefix = kafka.topic_prefix
        config = producer_config(
            kafka,
            transactional_id=self._prefix + TRANSACTIONAL,
            transaction_timeout_ms=TIMEOUT_MS,
            message_timeout_ms=TIMEOUT_MS - 1_000,
            linger_ms=0,
        )
        self._producer = Producer(config | QUIET)
        self._producer.init_transactions(BEGIN_S)

    def write(self, turn: Turn, places: Sequence[TopicPartition], group: Any) -> None:  # noqa: ANN401 - opaque to Python
        """Commit a turn with how far the topics were read."""
        producer, prefix = self._producer, self._prefix
        producer.begin_transaction()
        try:
            for record in turn.audit:
                producer.produce(prefix + AUDIT, record, b"")
                producer.poll(0)
            for name, value in turn.states:
                producer.produce(prefix + STATES, value, name.encode())
            for name, value in turn.profiles:
                producer.produce(prefix + PROFILES, value, name.encode())
            for note in turn.notes:
                producer.produce(prefix + NOTES, note, b"log")
            producer.send_offsets_to_transaction(list(places), group, TIMEOUT_MS / 1000)
            producer.commit_transaction(TIMEOUT_MS / 1000)
        except (KafkaException, BufferError) as error:
            with suppress(KafkaException):
                producer.abort_transaction(TIMEOUT_MS / 1000)
            if isinstance(error, BufferError):
                raise KafkaException(str(error)) from error
            raise
