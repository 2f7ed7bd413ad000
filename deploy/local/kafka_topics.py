"""Create the topics of the contract, and compare those that are there with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from driftline.deploy.local.errors import StackError
from driftline.schemas.settings import Settings, kafka_config
from driftline.schemas.topics import TOPICS, Topic

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class TopicFault:
    """One way in which a topic differs from the contract."""

    topic: str
    key: str
    wanted: str
    found: str
    counts: str = ""
    """Which topics have which partition count, when no setting fits them all."""

    def sentence(self) -> str:
        """Say the fault and its mend."""
        if self.key == "partitions" and self.counts:
            return (
                f"{self.counts}, which no setting fits, and no count can go down: use another topic prefix "
                "(DRIFTLINE_KAFKA_TOPIC_PREFIX) or a fresh data directory"
            )
        if self.key == "partitions":
            return (
                f"the topic {self.topic!r} has {self.found} partitions, the settings ask for {self.wanted}: "
                f"set DRIFTLINE_KAFKA_PARTITIONS={self.found}, or use another topic prefix or data directory"
            )
        if self.key == "exists":
            return f"the topic {self.topic!r} is missing: 'driftline up' creates it"
        return f"the topic {self.topic!r} has {self.key}={self.found}, not {self.wanted}: 'driftline up' alters it"


def admin_client(settings: Settings) -> AdminClient:
    """Return an AdminClient; keep it in a variable, for a collected one destroys its futures' work.

    Raises:
        StackError: Kafka's client cannot be made with these settings, as with a certificate that is none.

    """
    try:
        return AdminClient({**kafka_config(settings.kafka), "log_level": 0})
    except KafkaException as error:
        raise StackError(f"Kafka's client cannot be used: {reason(error)}") from error


def ensure_topics(settings: Settings) -> None:
    """Create the topics that are missing and give those that are there the configuration of the contract.

    Raises:
        StackError: a topic has another partition count, or Kafka refused.

    """
    admin = admin_client(settings)
    faults = topic_faults(settings, admin)
    wrong = [fault for fault in faults if fault.key == "partitions"]
    if wrong:
        raise StackError(wrong[0].sentence())
    missing = {fault.topic for fault in faults if fault.key == "exists"}
    _create(
        admin, settings, [topic for topic in TOPICS if settings.kafka.topic_prefix + topic.name in missing]
    )
    _alter(admin, [fault for fault in faults if fault.key != "exists"])


def topic_faults(settings: Settings, admin: AdminClient) -> list[TopicFault]:
    """Return every difference between the broker's topics and the contract.

    Raises:
        StackError: Kafka does not answer.

    """
    try:
        held = admin.list_topics(timeout=_CONNECT_SECONDS).topics
        names = {settings.kafka.topic_prefix + topic.name: topic for topic in TOPICS}
        present = [name for name in names if name in held]
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in present]
        futures = admin.describe_configs(resources) if resources else {}
        configs = {resource.name: future.result(_ANSWER_SECONDS) for resource, future in futures.items()}
    except KafkaException as error:
        raise StackError(f"Kafka at {settings.kafka.bootstrap} does not answer: {reason(error)}") from error
    faults: list[TopicFault] = []
    for name, topic in names.items():
        if name not in held:
            faults.append(TopicFault(name, "exists", "yes", "no"))
            continue
        values = {key: str(entry.value) for key, entry in configs[name].items()}
        faults += compare(name, topic, settings.kafka.partitions, len(held[name].partitions), values)
    counts = _at_odds({name: (names[name], len(held[name].partitions)) for name in present})
    return [replace(fault, counts=counts) if fault.key == "partitions" else fault for fault in faults]


def _at_odds(found: dict[str, tuple[Topic, int]]) -> str:
    """Say which topics have which partition count; "" when one value of the setting fits them all."""
    groups: dict[tuple[int, int | None], list[str]] = {}
    for name, (topic, count) in found.items():
        needed = None if topic.partitions == "events" else topic.partitions
        if count != needed:
            groups.setdefault((count, needed), []).append(repr(name))
    if len(groups) == 1 and None in (needed for _, needed in groups):
        return ""
    return "; ".join(
        f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} {count} partitions"
        + ("" if needed is None else f" where the contract says {needed}")
        for (count, needed), names in groups.items()
    )


def compare(
    name: str, topic: Topic, events: int, partitions: int, values: dict[str, str]
) -> list[TopicFault]:
    """Compare one topic with the contract: its partition count, then each configured value."""
    wanted = topic.partition_count(events)
    faults = [TopicFault(name, "partitions", str(wanted), str(partitions))] if partitions != wanted else []
    faults += [
        TopicFault(name, key, value, values.get(key, "nothing"))
        for key, value in topic.config.items()
        if values.get(key) != value
    ]
    return faults


def _create(admin: AdminClient, settings: Settings, topics: Iterable[Topic]) -> None:
    new = [
        NewTopic(
            settings.kafka.topic_prefix + topic.name,
            num_partitions=topic.partition_count(settings.kafka.partitions),
            replication_factor=settings.kafka.replication_factor,
            config=topic.config,
        )
        for topic in topics
    ]
    if not new:
        return
    for name, future in admin.create_topics(new).items():
        try:
            future.result(_ANSWER_SECONDS)
        except KafkaException as error:
            # Another `up` or `migrate` against the same outside Kafka may have been first.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise StackError(f"Kafka refused to create the topic {name!r}: {reason(error)}") from error


def _alter(admin: AdminClient, faults: list[TopicFault]) -> None:
    if not faults:
        return
    resources: dict[str, ConfigResource] = {}
    for fault in faults:
        resource = resources.setdefault(fault.topic, ConfigResource(ConfigResource.Type.TOPIC, fault.topic))
        resource.add_incremental_config(
            ConfigEntry(fault.key, fault.wanted, incremental_operation=AlterConfigOpType.SET)
        )
    for resource, future in admin.incremental_alter_configs(list(resources.values())).items():
        try:
            future.result(_ANSWER_SECONDS)
        except KafkaException as error:
            raise StackError(
                f"Kafka refused to alter the topic {resource.name!r}: {reason(error)}"
            ) from error


def reason(error: KafkaException) -> str:
    """Give what Kafka says of an error, without the codes around it."""
    return str(error.args[0].str()) if error.args and isinstance(error.args[0], KafkaError) else str(error)
