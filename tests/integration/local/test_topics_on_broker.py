"""Topics of the contract on the real broker."""

from __future__ import annotations

import msgspec
import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from driftline.deploy.local.errors import StackError
from driftline.deploy.local.kafka_topics import admin_client, ensure_topics, topic_faults
from driftline.schemas.settings import Settings


def test_created_topics_are_as_the_contract_says(lane: Settings) -> None:
    """After creation no topic differs from the table; creating again changes nothing."""
    assert topic_faults(lane, admin_client(lane)) == []
    ensure_topics(lane)


def test_another_partition_count_is_refused(lane: Settings) -> None:
    """A topic with another partition count is one sentence with its mend, and stays as it is."""
    more = msgspec.structs.replace(lane, kafka=msgspec.structs.replace(lane.kafka, partitions=8))
    with pytest.raises(
        StackError, match="has 4 partitions, the settings ask for 8: set DRIFTLINE_KAFKA_PARTITIONS=4"
    ):
        ensure_topics(more)
    assert topic_faults(lane, admin_client(lane)) == []


def test_another_configuration_is_mended(lane: Settings) -> None:
    """A topic whose configuration was changed is found, and given the contract's again."""
    admin = admin_client(lane)
    name = lane.kafka.topic_prefix + "predictions"
    entry = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)
    assert [(fault.topic, fault.key, fault.found) for fault in topic_faults(lane, admin)] == [
        (name, "retention.ms", "1000")
    ]
    ensure_topics(lane)
    assert topic_faults(lane, admin) == []
