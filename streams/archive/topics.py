"""Topics as the broker has them: their ids and partition counts, held against the settings."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from driftline.schemas.clients import kafka_config
from driftline.schemas.topics import topic as contract
from driftline.streams.archive.errors import KafkaAwayError, TopicError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.schemas.settings import Kafka

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Facts:
    """One topic: `name` with the prefix, `topic_id` as the broker made it, and its partitions."""

    topic: str
    name: str
    topic_id: str
    partitions: int


def describe(kafka: Kafka, topics: Sequence[str]) -> dict[str, Facts]:
    """Ask the broker about topics (names without prefix).

    Raises:
        TopicError: one is missing, or has another number of partitions than the settings say.
        KafkaAwayError: no answer.
    """
    # Its own log would say twenty times a second what `described` says once.
    admin = AdminClient({**kafka_config(kafka), "log_level": 0})
    names = {kafka.topic_prefix + topic: topic for topic in topics}
    facts: dict[str, Facts] = {}
    try:
        asked = admin.describe_topics(TopicCollection(list(names)), request_timeout=ANSWER_SECONDS)
        for name, answer in asked.items():
            found = answer.result(ANSWER_SECONDS)
            topic = names[name]
            facts[topic] = Facts(topic, name, str(found.topic_id), len(found.partitions))
    except KafkaException as error:
        why = error.args[0]
        if why.name() == "UNKNOWN_TOPIC_OR_PART":
            raise TopicError(
                f"topic {name!r} does not exist: create the topics with 'driftline up' first"
            ) from error
        raise KafkaAwayError(
            f"the broker at {kafka.bootstrap} does not describe topics: {why.str()}"
        ) from error
    except TimeoutError as error:
        raise KafkaAwayError(f"the broker at {kafka.bootstrap} does not answer") from error
    check_counts(kafka, facts)
    return facts


def check_counts(kafka: Kafka, facts: Mapping[str, Facts]) -> None:
    """Raise TopicError for event topics whose partitions are not those of the settings: keys would lie elsewhere."""
    for fact in facts.values():
        wanted = contract(fact.topic).partition_count(kafka.partitions)
        if contract(fact.topic).partitions == "events" and fact.partitions != wanted:
            raise TopicError(
                f"topic {fact.name!r} has {fact.partitions} partitions, DRIFTLINE_KAFKA_PARTITIONS is {wanted}: "
                "set it to what the topic has",
            )


def described(kafka: Kafka, topics: Sequence[str], stopping: Callable[[], bool]) -> dict[str, Facts]:
    """Ask until the broker answers; empty when told to stop before. Raises TopicError as `describe`."""
    while not stopping():
        try:
            return describe(kafka, topics)
        except KafkaAwayError as error:
            logger.warning("waiting for Kafka: %s", error)
            time.sleep(1.0)
    return {}
