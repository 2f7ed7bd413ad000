"""The compacted topic `profiles`, and the rule that a version has one reference for ever."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from driftline.deploy.tables.errors import TableError, suggestion
from driftline.schemas.profile import Profile
from driftline.schemas.refusal import Refused
from driftline.schemas.settings import consumer_config, producer_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driftline.schemas.settings import Kafka, Settings

TOPIC = "profiles"
ANSWER_S = 15.0
"""How long the broker may take to answer."""

QUIET = 2
"""librdkafka's log level: what matters comes back as an error, and the rest would stand among a person's
output.
"""


class NoProfileError(TableError):
    """No profile is published under that name."""


def publish(settings: Settings, profile: Profile) -> bool:
    """Put a profile on the topic and wait until the broker has it.

    Args:
        settings: where Kafka is.
        profile: the reference of one version.

    Returns:
        True when it was put there, False when the very same profile was there already.

    Raises:
        TableError: the version has another profile, or Kafka does not take it.

    """
    held = published(settings).get((profile.deployment, profile.model_version))
    if held is not None:
        if held.digest() == profile.digest():
            return False
        raise TableError(
            f"{profile.deployment} {profile.model_version} already has another profile "
            f"({held.digest()[:12]}, this one is {profile.digest()[:12]}): windows counted with two "
            "references "
            "cannot be added, so publish this one under a new version"
        )
    _produce(settings.kafka, f"{profile.deployment}/{profile.model_version}".encode(), profile.to_bytes())
    return True


def published(settings: Settings) -> dict[tuple[str, str], Profile]:
    """Read every published profile: (deployment, version) -> profile.

    Raises:
        TableError: Kafka or the topic is not there.

    """
    values: dict[bytes, bytes | None] = {}
    for message in _records(settings.kafka):
        values[message.key() or b""] = message.value()
    found: dict[tuple[str, str], Profile] = {}
    for value in values.values():
        # A record that is no profile is the workers' to report; here it hides nothing.
        with contextlib.suppress(Refused):
            if value is not None:
                profile = Profile.from_bytes(value)
                found[profile.deployment, profile.model_version] = profile
    return found


def published_profile(settings: Settings, deployment: str, version: str) -> Profile:
    """Find the published profile of one version.

    Raises:
        NoProfileError: there is none; the sentence names the nearest deployment or version that has one.
        TableError: Kafka or the topic is not there.

    """
    profiles = published(settings)
    if (deployment, version) in profiles:
        return profiles[deployment, version]
    if not profiles:
        raise NoProfileError("no profile is published yet: build one with 'driftline profile build TABLE'")
    versions = [name for of, name in profiles if of == deployment]
    if versions:
        hint = suggestion(version, versions)
        raise NoProfileError(
            f"deployment {deployment!r} has no published profile of version {version!r}: {hint}"
        )
    hint = suggestion(deployment, sorted({of for of, _ in profiles}))
    raise NoProfileError(f"no profile is published for deployment {deployment!r}: {hint}")


def _produce(kafka: Kafka, key: bytes, value: bytes) -> None:
    failures: list[KafkaError] = []

    def told(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failures.append(error)

    producer = Producer(
        {**producer_config(kafka, message_timeout_ms=int(ANSWER_S * 1_000)), "log_level": QUIET}
    )
    producer.produce(kafka.topic_prefix + TOPIC, value, key, on_delivery=told)
    left = producer.flush(ANSWER_S + 1)
    if left or failures:
        why = failures[0].str() if failures else "no answer"
        raise _away(kafka, f"the profile was not taken: {why}")


def _records(kafka: Kafka) -> Iterator[Message]:
    """Read the topic from its first record to the end it has now."""
    topic = kafka.topic_prefix + TOPIC
    consumer = Consumer(consumer_config(kafka, "driftline-profiles", enable_partition_eof="true"))
    try:
        waiting = _partitions(consumer, kafka, topic)
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in waiting])
        yield from _to_the_end(consumer, kafka, waiting)
    except KafkaException as error:
        raise _away(kafka, error.args[0].str()) from error
    finally:
        consumer.close()


def _to_the_end(consumer: Consumer, kafka: Kafka, waiting: set[int]) -> Iterator[Message]:
    while waiting:
        message = consumer.poll(ANSWER_S)
        if message is None:
            raise _away(kafka, "it stopped answering")
        error = message.error()
        if error is None:
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's public code
            waiting.discard(message.partition())
        else:
            raise KafkaException(error)


def _partitions(consumer: Consumer, kafka: Kafka, topic: str) -> set[int]:
    known = consumer.list_topics(topic, timeout=ANSWER_S).topics[topic]
    if known.error is not None:
        raise TableError(f"Kafka at {kafka.bootstrap} has no topic {topic!r}: run 'driftline up' first")
    return set(known.partitions)


def _away(kafka: Kafka, why: str) -> TableError:
    return TableError(
        f"Kafka at {kafka.bootstrap} does not answer ({why}): start a stack with 'driftline up', or "
        "name yours "
        "with DRIFTLINE_KAFKA_BOOTSTRAP"
    )
