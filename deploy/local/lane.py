"""A lane: topics under a prefix and a database of their own on a running stack, so that users do not meet."""

from __future__ import annotations

import msgspec

from driftline.deploy.local.kafka_topics import ensure_topics
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse.migrate import migrate


def open_lane(settings: Settings, name: str, *, partitions: int | None = None) -> Settings:
    """Create topics `name.…` and the database `name`, migrated, and return settings that point at them.

    Args:
        settings: addresses of a stack that runs.
        name: letters, digits and underscores, beginning with a letter.
        partitions: of the event topics; None keeps the setting.

    """
    count = settings.kafka.partitions if partitions is None else partitions
    kafka = msgspec.structs.replace(settings.kafka, topic_prefix=f"{name}.", partitions=count)
    clickhouse = msgspec.structs.replace(settings.clickhouse, database=name)
    lane = msgspec.structs.replace(settings, kafka=kafka, clickhouse=clickhouse)
    ensure_topics(lane)
    migrate(lane)
    return lane
