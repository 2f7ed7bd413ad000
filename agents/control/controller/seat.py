"""Seat: membership of the one consumer group of controllers; whoever is given the partition may write."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from driftline.agents.control.controller.broker import ANSWER_S, Broker
from driftline.schemas.reach import reach
from driftline.schemas.settings import consumer_config
from driftline.schemas.topics import COMMANDS

if TYPE_CHECKING:
    from driftline.schemas.settings import Kafka

logger = logging.getLogger(__name__)

_REFUSED: Final = (KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED)
GROUP: Final = "driftline-controller"


class Seat:
    """A place in the group; it reads nothing.

    Args:
        kafka: where the broker is.
        session_ms: after which a silent member is taken out, ms.

    Attributes:
        is_owner: whether the partition is this one's.
        is_waiting: whether the group gave it to another.
        turns: how often it was given to this one: another number is another tenure.
    """

    def __init__(self, kafka: Kafka, session_ms: int) -> None:
        self._kafka, self._name = kafka, kafka.topic_prefix + COMMANDS
        config = consumer_config(kafka, kafka.topic_prefix + GROUP, session_timeout_ms=session_ms)
        self._consumer = Consumer(config | reach(kafka, logger))
        self.is_owner = self.is_waiting = False
        self.turns = 0
        self._consumer.subscribe(
            [self._name], on_assign=self._given, on_revoke=self._taken, on_lost=self._taken
        )

    def look(self, timeout_s: float) -> bool:
        """Take part in the group, and say whether the partition is this one's.

        Raises:
            KafkaException: the group cannot be taken part in, or the broker does not say whether there is a topic.
            ControllerError: there is no topic of commands.
        """
        message = self._consumer.poll(timeout_s)
        error = None if message is None else message.error()
        if error is not None and (error.fatal() or error.code() in _REFUSED):
            raise KafkaException(error)
        if error is not None and error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            # Nobody is given a partition of what is not there, and would wait without a word. It raises then.
            Broker(self._kafka).topic_id(COMMANDS)
        return self.is_owner

    @property
    def group(self) -> Any:  # noqa: ANN401 - opaque to Python
        """The membership as a transaction names it."""
        return self._consumer.consumer_group_metadata()

    def committed(self, topic: str) -> int | None:
        """Up to where the group committed partition 0 of a topic; None where it never did."""
        found = self._consumer.committed([TopicPartition(topic, 0)], timeout=ANSWER_S)[0]
        return found.offset if found.offset >= 0 else None

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _given(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.assign(partitions)
        self.is_waiting = not partitions
        if partitions:
            consumer.pause(partitions)
            self.is_owner = True
            self.turns += 1

    def _taken(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        del partitions
        consumer.unassign()
        self.is_owner = False
