"""What one user may do on a secured broker, found out by doing it, or by asking the broker's authorizer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
)

from driftline.schemas.settings import Settings, kafka_config

WAIT_S = 30.0
NOT_YET = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)
REFUSED = frozenset(
    (
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    )
)


class Doors:
    """A user at every door of the broker; `close` it."""

    def __init__(self, settings: Settings) -> None:
        self.config = {**kafka_config(settings.kafka), "log_level": 0}
        self.admin = AdminClient(self.config)

    def allowed(self, topics: Iterable[str]) -> dict[str, set[str]]:
        """Topic → what the authorizer says is allowed; nothing of a topic that the user may not even see."""
        names = list(topics)
        asked = self.admin.describe_topics(
            TopicCollection(names), include_authorized_operations=True, request_timeout=WAIT_S
        )
        found = {}
        for name, future in asked.items():
            answer = of(future)
            found[name] = set() if answer is None else {one.name for one in answer.authorized_operations}
        return found

    def groups(self, names: Iterable[str]) -> dict[str, set[str]]:
        """Group → what the authorizer says is allowed; a broker that has just begun is asked until it answers."""
        found: dict[str, set[str]] = {}
        deadline = time.monotonic() + WAIT_S
        while waiting := [name for name in names if name not in found]:
            asked = self.admin.describe_consumer_groups(
                waiting, include_authorized_operations=True, request_timeout=WAIT_S
            )
            for name, future in asked.items():
                with suppress_not_yet(deadline):
                    answer = of(future)
                    allowed = () if answer is None else answer.authorized_operations
                    found[name] = {one.name for one in allowed}
        return found

    def reads(self, topics: Iterable[str]) -> set[str]:
        """The topics that give what lies in them; one that is not seen has no leader to be asked of."""
        waiting = set(topics) & set(self.admin.list_topics(timeout=WAIT_S).topics)
        config = {"group.id": "somebody-else", "enable.partition.eof": True, "enable.auto.commit": False}
        consumer = Consumer({**self.config, **config})
        found = set()
        try:
            consumer.assign([TopicPartition(name, 0, OFFSET_BEGINNING) for name in waiting])
            deadline = time.monotonic() + WAIT_S
            while waiting:
                assert time.monotonic() < deadline, waiting
                message = consumer.poll(1.0)
                if message is None or message.topic() not in waiting:
                    continue
                error = message.error()
                if error is None or error.code() == KafkaError._PARTITION_EOF:
                    found.add(message.topic())
                else:
                    assert error.code() in REFUSED, error
                waiting.discard(message.topic())
        finally:
            consumer.close()
        return found

    def writes(self, topics: Iterable[str]) -> set[str]:
        """The topics that take a record."""
        names, taken = list(topics), set[str]()
        refused: dict[str, KafkaError] = {}
        producer = Producer({**self.config, "message.timeout.ms": 1_000 * WAIT_S, "linger.ms": 0})

        def told(name: str, error: KafkaError | None) -> None:
            if error is None:
                taken.add(name)
            else:
                refused[name] = error

        for name in names:
            producer.produce(
                name, b"x", b"k", on_delivery=lambda error, _message, name=name: told(name, error)
            )
        assert producer.flush(WAIT_S) == 0
        assert {error.code() for error in refused.values()} <= REFUSED, refused
        assert len(taken) + len(refused) == len(names)
        return taken

    def transacts(self, name: str) -> bool:
        """Whether a transactional id may be used."""
        producer = Producer({**self.config, "transactional.id": name})
        try:
            producer.init_transactions(WAIT_S)
        except KafkaException as error:
            return refused(error)
        return True

    def joins(self, group: str, topic: str) -> bool:
        """Whether a group may be joined, which takes what committing its positions takes; the topic is one it reads."""
        consumer = Consumer({**self.config, "group.id": group, "enable.auto.commit": False})
        given: list[object] = []
        consumer.subscribe([topic], on_assign=lambda _consumer, places: given.append(places))
        deadline = time.monotonic() + WAIT_S
        try:
            while not given:
                assert time.monotonic() < deadline, (group, topic)
                message = consumer.poll(0.1)
                error = None if message is None else message.error()
                if error is not None and error.code() in REFUSED:
                    return False
        finally:
            consumer.close()
        return True

    def creates(self, topic: str) -> bool:
        """Whether a topic may be made; it is not."""
        return self._may(self.admin.create_topics([NewTopic(topic, 1, 1)], validate_only=True)[topic])

    def deletes(self, topic: str) -> bool:
        """Whether a topic may be deleted; then it is."""
        return self._may(self.admin.delete_topics([topic], operation_timeout=WAIT_S)[topic])

    def trims(self, topic: str) -> bool:
        """Whether records may be removed from a topic: those before the first, of a compacted one none at all.

        A topic that is not seen has no leader to be asked of.
        """
        if topic not in self.admin.list_topics(timeout=WAIT_S).topics:
            return False
        place = TopicPartition(topic, 0, 0)
        try:
            return self._may(self.admin.delete_records([place])[place])
        except KafkaException as error:
            if error.args[0].code() != KafkaError.POLICY_VIOLATION:
                raise
            return True

    def widens(self, topic: str) -> bool:
        """Whether partitions may be added; they are not."""
        return self._may(self.admin.create_partitions([NewPartitions(topic, 9)], validate_only=True)[topic])

    def configures(self, topic: str) -> bool:
        """Whether a topic may be configured; it is not."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        entry = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
        resource.add_incremental_config(entry)
        return self._may(self.admin.incremental_alter_configs([resource], validate_only=True)[resource])

    @staticmethod
    def _may(future: Any) -> bool:
        return of(future) is not None


@contextmanager
def suppress_not_yet(deadline: float) -> Iterator[None]:
    """Let pass, until a deadline, what a broker says while it elects who answers for a group."""
    try:
        yield
    except KafkaException as error:
        if error.args[0].code() not in NOT_YET or time.monotonic() > deadline:
            raise
        time.sleep(0.1)


def of(future: Any) -> Any:
    """What came of an action: None where it was refused, True for one that gives nothing."""
    try:
        answer = future.result(WAIT_S)
    except KafkaException as error:
        refused(error)
        return None
    return True if answer is None else answer


def refused(error: KafkaException) -> bool:
    """False for an action that was refused; anything else that went wrong is raised."""
    if error.args[0].code() not in REFUSED:
        raise error
    return False
