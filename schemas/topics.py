"""Every Kafka topic: key, partitions, retention, configuration; topics are created from this table."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

PREDICTIONS: Final = "predictions"
PROFILES: Final = "profiles"
WINDOWS: Final = "windows"
ALERTS: Final = "alerts"
COMMANDS: Final = "deployment-control"
STATES: Final = "deployment-state"
ACKS: Final = "acks"
_DAY_MS: Final = 86_400_000
# One message as the broker counts it: a record of driftline.schemas.codec.DEFAULT_MAX_BYTES, its key and
# headers.
_EVENT_BYTES: Final = 1_048_588
_STATE_BYTES: Final = 2_200_000
_PROFILE_BYTES: Final = 8_400_000
# A dead letter carries a whole message of the largest topic that is dead-lettered, and says why.
_DEAD_LETTER_BYTES: Final = 2_600_000


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic; `partitions` is a number, or "events" for the setting that predictions and labels share."""

    name: str
    key: str
    partitions: Literal["events"] | int
    retention_ms: int | None
    """How long records are kept; None keeps them for ever."""
    compacted: bool = False
    log_append_time: bool = False
    """True when the broker stamps the records, so that a producer cannot lie about when they came."""
    max_message_bytes: int = _EVENT_BYTES

    @property
    def config(self) -> dict[str, str]:
        """Topic configuration as the broker takes it (org.apache.kafka.common.config.TopicConfig)."""
        return {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "retention.ms": str(-1 if self.retention_ms is None else self.retention_ms),
            "message.timestamp.type": "LogAppendTime" if self.log_append_time else "CreateTime",
            "max.message.bytes": str(self.max_message_bytes),
            # Batches stay as the producer compressed them: the broker spends nothing on them.
            "compression.type": "producer",
        }

    def partition_count(self, events: int) -> int:
        """Partitions of this topic when `events` is the setting for event topics."""
        return events if self.partitions == "events" else self.partitions


TOPICS: Final = (
    # Equal partition counts: everything about one deployment meets in one worker. 7 days is also the greatest
    # age of a spool, and how long sequence marks live.
    Topic(PREDICTIONS, "deployment", "events", 7 * _DAY_MS, log_append_time=True),
    Topic("labels", "deployment", "events", 7 * _DAY_MS, log_append_time=True),
    Topic("emitter-status", "instance", 1, 7 * _DAY_MS, log_append_time=True),
    Topic(PROFILES, "deployment/version", 1, None, compacted=True, max_message_bytes=_PROFILE_BYTES),
    Topic(WINDOWS, "deployment", "events", 14 * _DAY_MS, max_message_bytes=_STATE_BYTES),
    Topic(ALERTS, "deployment", "events", 90 * _DAY_MS),
    Topic("dead-letter", "source partition", 1, 28 * _DAY_MS, max_message_bytes=_DEAD_LETTER_BYTES),
    Topic(COMMANDS, "one partition", 1, None, log_append_time=True),
    Topic(STATES, "deployment", 1, None, compacted=True),
    Topic(ACKS, "deployment", 1, 90 * _DAY_MS, log_append_time=True),
    Topic("audit", "one partition", 1, None, log_append_time=True),
    Topic("checkpoints", "name of the signer", 1, None, log_append_time=True),
)
_BY_NAME: Final[Mapping[str, Topic]] = MappingProxyType({entry.name: entry for entry in TOPICS})


def topic(name: str) -> Topic:
    """The topic of a name (without prefix); raises LookupError for a name that is not in the table."""
    try:
        return _BY_NAME[name]
    except KeyError:
        message = f"no topic {name!r}; there are {', '.join(_BY_NAME)}"
        raise LookupError(message) from None


def changelog_config() -> dict[str, str]:
    """Configuration of a role's changelog: compacted, but never within a day of the write.

    The lag keeps each value readable for a worker that recovers while another one still writes.
    """
    return {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": str(_DAY_MS),
        "max.message.bytes": str(_STATE_BYTES),
        "compression.type": "producer",
    }
