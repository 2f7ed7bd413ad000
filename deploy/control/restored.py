"""Restored: an export of the audit put back into topics that are empty, as far as controllers signed it.

Kafka takes no record back: where somebody else wrote behind the last checkpoint, the topic is made anew without that.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from driftline.agents.audit.chain import Chain
from driftline.agents.audit.checkpoint import seen
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import TOPIC as AUDIT
from driftline.agents.audit.topic import ANSWER_S, NOTES
from driftline.agents.control.controller.vouched import Vouched, checkpoints_in
from driftline.schemas.settings import consumer_config, producer_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from driftline.schemas.settings import Kafka

_QUIET: Final = 2
WHOLE_MS: Final = 300_000
"""How long the broker may take to have all of it, ms."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What of an export controllers signed.

    Attributes:
        size: records below the last checkpoint of the log that they agree with.
        behind: records that lie behind it, and are not to be restored.
        notes: checkpoints that agree with the records.
    """

    size: int
    behind: int
    notes: tuple[bytes, ...]


def signed_part(genesis: str, records: Iterable[bytes], notes: Sequence[bytes]) -> Signed:
    """Find how far an export is to be restored.

    Args:
        genesis: the pinned digest of record 0.
        records: of the export, in their order.
        notes: of the export, unbelieved.

    Raises:
        AuditError: it is another log, or the log signed more than is there: a better export is needed.
    """
    chain, vouched, kept = Chain(genesis), Vouched(notes), list[bytes]()
    count, broken, rest = 0, "", iter(records)
    for data in rest:
        count += 1
        try:
            chain.take(data)
        except AuditError as error:
            if not chain.has_begun:
                raise
            count += sum(1 for _ in rest)
            broken = f", for {error}"
            break
        kept += [note.to_bytes() for note in vouched.take(chain)]
    if not chain.has_begun:
        raise AuditError("the export has no record: restore another")
    logs = chain.believed.logs
    most = max((found.size for found, note in checkpoints_in(notes) if seen(note, logs, ())), default=1)
    if most > vouched.size:
        raise AuditError(
            f"a controller signed {most:,} records, and of this export {vouched.size:,} agree with what was signed"
            f"{broken}: restore one that has all of them"
        )
    return Signed(vouched.size, count - vouched.size, tuple(kept))


def require_empty(kafka: Kafka) -> None:
    """See that both topics are there and hold nothing; raises AuditError otherwise."""
    config = consumer_config(kafka, "driftline-audit-restore")
    with closing(Consumer({**config, "log_level": _QUIET})) as consumer:
        for topic in (AUDIT, NOTES):
            name = kafka.topic_prefix + topic
            try:
                low, high = consumer.get_watermark_offsets(TopicPartition(name, 0), timeout=ANSWER_S)
            except KafkaException as error:
                raise AuditError(
                    f"topic {name!r} of Kafka at {kafka.bootstrap} cannot be read ({error.args[0].str()}): 'driftline "
                    "migrate --topics' makes it"
                ) from error
            if high > low:
                raise AuditError(
                    f"topic {name!r} holds {high - low:,} records, and nothing is written behind them: export it, "
                    "delete it, and make it anew with 'driftline migrate --topics'"
                )


def restore(kafka: Kafka, records: Iterable[bytes], signed: Signed) -> None:
    """Write what was signed to both topics, the checkpoints last, and wait until the broker has all of it.

    Args:
        kafka: where the brokers are.
        records: of the export, in their order.
        signed: how far they are written.

    Raises:
        AuditError: Kafka did not take all of it; the topics are to be made anew before it is tried again.
    """
    failures: list[KafkaError] = []

    def told(error: KafkaError | None, _message: object) -> None:
        if error is not None:
            failures.append(error)

    config = producer_config(kafka, message_timeout_ms=WHOLE_MS)
    producer = Producer({**config, "log_level": _QUIET})
    for topic, key, values in (
        (AUDIT, b"", islice(records, signed.size)),
        (NOTES, b"log", iter(signed.notes)),
    ):
        for value in values:
            _produce(producer, kafka.topic_prefix + topic, key, value, told)
            if failures:
                break
        if failures or producer.flush(WHOLE_MS / 1_000):
            why = failures[0].str() if failures else "no answer"
            raise AuditError(
                f"Kafka at {kafka.bootstrap} did not take all of {topic!r} ({why}): make both topics anew, and restore "
                "again"
            )


def _produce(
    producer: Producer,
    topic: str,
    key: bytes,
    value: bytes,
    told: Callable[[KafkaError | None, object], None],
) -> None:
    while True:
        try:
            producer.produce(topic, value, key, on_delivery=told)
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return
