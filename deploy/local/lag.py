"""How far behind each role is: records between what its group has acknowledged and the end of the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from driftline.deploy.local.errors import StackError
from driftline.deploy.local.kafka_topics import reason
from driftline.deploy.local.worker import ROLES
from driftline.schemas.settings import Settings, consumer_config
from driftline.schemas.topics import TOPICS, topic

_ANSWER_SECONDS = 10.0
# What a role reads first; other topics show up once it has acknowledged something in them.
_SOURCES = {"alerts": "windows"}
_SOURCE = "predictions"
_POLL_SECONDS = 0.1
_NOT_YET = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)

# (topic, partition) -> offset.
Offsets = dict[tuple[str, int], int]


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """One partition that one role reads.

    Attributes:
        committed: next offset the group will read, None when it has never acknowledged.
        end: offset of the next record to be written.
        lag: records in between.

    """

    role: str
    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int


def group_of(settings: Settings, role: str) -> str:
    """Return the consumer group of a role."""
    return f"{settings.kafka.topic_prefix}driftline-{role}"


def lags(settings: Settings, admin: AdminClient, roles: Iterable[str] = ROLES) -> list[Lag]:
    """Return the lag of every role by topic and partition.

    Raises:
        StackError: Kafka does not answer.

    """
    try:
        prefix = settings.kafka.topic_prefix
        held = admin.list_topics(timeout=_ANSWER_SECONDS).topics
        names = [prefix + each.name for each in TOPICS if prefix + each.name in held]
        places = [TopicPartition(name, number) for name in names for number in held[name].partitions]
        starts = _offsets(admin, places, OffsetSpec.earliest())
        ends = _offsets(admin, places, OffsetSpec.latest())
        return [lag for role in roles for lag in _of_role(settings, role, places, starts, ends)]
    except (KafkaException, TimeoutError) as error:
        why = reason(error) if isinstance(error, KafkaException) else "no answer in time"
        raise StackError(f"Kafka at {settings.kafka.bootstrap} does not tell its offsets: {why}") from error


def _of_role(
    settings: Settings, role: str, places: list[TopicPartition], starts: Offsets, ends: Offsets
) -> list[Lag]:
    committed = _committed(settings, role, places)
    source = settings.kafka.topic_prefix + topic(_SOURCES.get(role, _SOURCE)).name
    return [
        Lag(
            role=role,
            topic=place[0],
            partition=place[1],
            committed=committed.get(place),
            end=end,
            lag=max(0, end - committed.get(place, starts[place])),
        )
        for place, end in sorted(ends.items())
        if place in committed or place[0] == source
    ]


def _committed(settings: Settings, role: str, places: list[TopicPartition]) -> Offsets:
    """Return what a group has acknowledged.

    A consumer that never subscribes asks, not the AdminClient: its list_consumer_group_offsets ends the process
    with a segmentation fault while a fresh broker still looks for the group's coordinator (librdkafka issue 5040).
    """
    consumer = Consumer({**consumer_config(settings.kafka, group_of(settings, role)), "log_level": 0})
    try:
        found = _patiently(lambda: consumer.committed(places, timeout=_ANSWER_SECONDS))
    finally:
        consumer.close()
    return {(each.topic, each.partition): each.offset for each in found if each.offset >= 0}


def _offsets(admin: AdminClient, places: list[TopicPartition], which: OffsetSpec) -> Offsets:
    futures = admin.list_offsets(dict.fromkeys(places, which)) if places else {}
    return {
        (each.topic, each.partition): int(f.result(_ANSWER_SECONDS).offset) for each, f in futures.items()
    }


def _patiently(ask: Callable[[], list[TopicPartition]]) -> list[TopicPartition]:
    """Ask again while the broker is still electing who answers for the group: the first seconds of its life."""
    deadline = time.monotonic() + _ANSWER_SECONDS
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _NOT_YET or time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)
