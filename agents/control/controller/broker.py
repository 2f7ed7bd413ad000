"""Broker: what the controller asks of Kafka beside records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from driftline.agents.control.controller.errors import ControllerError
from driftline.schemas.settings import kafka_config

if TYPE_CHECKING:
    from driftline.schemas.settings import Kafka

ANSWER_S: Final = 10.0
QUIET: Final = {"log_level": 2}


class Broker:
    """What is asked of the broker beside its records."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._admin = AdminClient(kafka_config(kafka) | QUIET)

    def topic_id(self, topic: str) -> str:
        """The id that the broker gave a topic when it was made.

        Raises:
            ControllerError: there is no such topic.
            KafkaException: the broker does not answer.
        """
        from confluent_kafka import TopicCollection  # noqa: PLC0415 - lacks a stub at the top

        name = self._kafka.topic_prefix + topic
        asked = self._admin.describe_topics(TopicCollection([name]), request_timeout=ANSWER_S)
        try:
            return str(asked[name].result(ANSWER_S + 1).topic_id)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise ControllerError(
                    f"Kafka at {self._kafka.bootstrap} has no topic {name!r}: 'driftline migrate --topics' or "
                    "'driftline up' makes it"
                ) from error
            raise
