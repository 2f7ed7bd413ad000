"""Lanes: two logs of one partition, read in the order in which the broker received their records.

A label must not be held against a prediction before that prediction was read, and a prediction must not close windows
whose labels lie unread before it. So the next record is the older one of the two, and where one log has none, the other
goes on only when the first was read to its end. What comes out of order all the same changes no sum: it may only find
its window cold.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Topic = Literal["predictions", "labels"]
TOPICS: tuple[Topic, Topic] = ("predictions", "labels")


class Record(NamedTuple):
    """One record as it came."""

    offset: int
    time_ms: int
    key: bytes | None
    value: bytes


@dataclass(slots=True)
class Lanes:
    """What was read of one partition of both topics and not taken yet."""

    queues: dict[Topic, deque[Record]] = field(default_factory=lambda: {topic: deque() for topic in TOPICS})
    at_end: dict[Topic, bool] = field(default_factory=lambda: dict.fromkeys(TOPICS, False))
    size_bytes: dict[Topic, int] = field(default_factory=lambda: dict.fromkeys(TOPICS, 0))

    @property
    def is_read(self) -> bool:
        """Whether both logs were read to their ends and nothing waits."""
        return all(self.at_end.values()) and not any(self.queues.values())

    def put(self, topic: Topic, record: Record) -> None:
        """Add a record of a topic; in the order of its log."""
        self.queues[topic].append(record)
        self.size_bytes[topic] += len(record.value)
        self.at_end[topic] = False

    def ended(self, topic: Topic) -> None:
        """The log of a topic was read to its end, for now."""
        self.at_end[topic] = True

    def next(self) -> tuple[Topic, Record] | None:
        """Take the next record; None when it is not known yet which that is."""
        ready: list[Topic] = [topic for topic in TOPICS if self.queues[topic]]
        waited: list[Topic] = [topic for topic in TOPICS if not self.queues[topic] and not self.at_end[topic]]
        if not ready or waited:
            return None
        topic = min(ready, key=lambda one: self.queues[one][0].time_ms)
        record = self.queues[topic].popleft()
        self.size_bytes[topic] -= len(record.value)
        return topic, record
