"""Place: how far the topic of commands was decided, which the audit alone says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.agents.audit.record import EFFECTIVE
from driftline.schemas.topics import COMMANDS

if TYPE_CHECKING:
    from driftline.agents.audit.record import AuditRecord


@dataclass(slots=True)
class Place:
    """Where the next command lies.

    Attributes:
        topic_id: of the topic that was read; None before the first command.
        offset: of the next record to decide.
    """

    topic_id: str | None = None
    offset: int = 0

    def take(self, record: AuditRecord) -> None:
        """Take in what the audit tells; a log-reset that took effect begins anew behind itself."""
        source, unread = record.source, record.unread
        if source is not None and source.topic == COMMANDS:
            if record.event == EFFECTIVE and record.op == "log-reset":
                self.topic_id, self.offset = source.topic_id, source.offset + 1
                return
            self.topic_id = self.topic_id or source.topic_id
            self.offset = max(self.offset, source.offset + 1)
        if unread is not None:
            self.offset = max(self.offset, unread.last_offset + 1)

    def fault(self, topic_id: str, first: int, end: int) -> str | None:
        """Why the topic is not the one that was read, or lacks what was; None when it is as it was left.

        Args:
            topic_id: of the topic as it is now.
            first: the first offset that it has.
            end: its end offset.
        """
        if self.topic_id not in (None, topic_id):
            return f"it has the id {topic_id}, and the audit knows {self.topic_id}: it was made anew"
        if end < self.offset:
            return f"it ends at offset {end:,}, and the audit tells of {self.offset:,}: records are gone"
        if self.topic_id is not None and first > self.offset:
            return f"it begins at offset {first:,}, and the audit tells of {self.offset:,}: records are gone undecided"
        return None
