"""Topics that have other partition counts than the settings ask for, on a broker that is played."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka.admin import ConfigResource

from driftline.deploy.local import kafka_topics
from driftline.deploy.local.errors import StackError
from driftline.schemas.settings import Kafka, Settings
from driftline.schemas.topics import TOPICS


class Broker:
    """Answers as an AdminClient does: topics as the contract says, but for the partition counts given."""

    def __init__(self, prefix: str, events: int, **counts: int) -> None:
        self._topics = {prefix + topic.name: topic for topic in TOPICS}
        self._counts = {
            name: counts.get(topic.name.replace("-", "_"), topic.partition_count(events))
            for name, topic in self._topics.items()
        }

    def list_topics(self, timeout: float) -> Any:
        """Give the partitions by topic."""
        assert timeout
        counts = self._counts.items()
        return SimpleNamespace(topics={name: SimpleNamespace(partitions=range(n)) for name, n in counts})

    def describe_configs(self, resources: list[ConfigResource]) -> Any:
        """Give what the contract says of each topic."""
        found = {}
        for one in resources:
            values = {key: SimpleNamespace(value=text) for key, text in self._topics[one.name].config.items()}
            found[one] = SimpleNamespace(result=lambda _seconds, values=values: values)
        return found


def said(monkeypatch: pytest.MonkeyPatch, broker: Broker, kafka: Kafka) -> str:
    """Give the sentence with which `up` refuses the topics."""
    monkeypatch.setattr(kafka_topics, "admin_client", lambda _settings: broker)
    with pytest.raises(StackError) as caught:
        kafka_topics.ensure_topics(Settings(kafka=kafka))
    return str(caught.value)


def test_topics_that_agree_on_another_count_are_named_with_the_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When every topic has 7 partitions, 7 is what to set."""
    sentence = said(monkeypatch, Broker("", 7), Kafka(partitions=4))
    assert (
        "'predictions' has 7 partitions, the settings ask for 4: set DRIFTLINE_KAFKA_PARTITIONS=7" in sentence
    )


@pytest.mark.parametrize("asked", [4, 7, 5])
def test_topics_that_disagree_are_named_with_their_counts(
    monkeypatch: pytest.MonkeyPatch, asked: int
) -> None:
    """When no setting fits all topics none is recommended; the sentence says who has what, and the ways out."""
    sentence = said(monkeypatch, Broker("eu.", 4, predictions=7), Kafka(partitions=asked, topic_prefix="eu."))
    assert "'eu.predictions' has 7 partitions; 'eu.labels', 'eu.windows'" in sentence
    assert "have 4 partitions" in sentence
    assert "'eu.emitter-status'" not in sentence, "it has what it needs"
    assert "DRIFTLINE_KAFKA_PARTITIONS" not in sentence
    assert "DRIFTLINE_KAFKA_TOPIC_PREFIX" in sentence
    assert "data directory" in sentence
    assert "\n" not in sentence


def test_a_topic_whose_count_is_no_setting_is_not_answered_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The count of some topics is the contract's: three partitions of one that needs one are no setting's fault."""
    sentence = said(monkeypatch, Broker("", 4, emitter_status=3), Kafka(partitions=4))
    assert "'emitter-status' has 3 partitions where the contract says 1" in sentence
    assert "DRIFTLINE_KAFKA_PARTITIONS" not in sentence
