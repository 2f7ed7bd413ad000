"""Place: one partition of one topic, and the plan that the group's commit of it carries.

The archive commits more than an offset. Before a block is inserted, its first offset is committed with its last one as
metadata; whoever owns the partition next inserts that same block again, with the same token, before it cuts one of its
own. ClickHouse drops the second copy by the token, so a crash between commit and insert, or after it, adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

# Written first in the metadata, so that a later release can read another form beside this one.
FORM = "1"


@dataclass(frozen=True, slots=True)
class Place:
    """One partition. `topic` is the name without prefix; `topic_id` changes when the topic is made anew."""

    topic: str
    topic_id: str
    partition: int

    def __str__(self) -> str:
        """Name it as logs do."""
        return f"{self.topic}[{self.partition}]"


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a worker takes a partition up.

    `first` is the next offset to store, None for the log's beginning; `planned_last` the last offset of a block that
    was begun and may lie in ClickHouse whole, half or not at all, None without one.
    """

    first: int | None
    planned_last: int | None


def plan_text(place: Place, last: int) -> str:
    """Give the commit metadata that plans a block to its last offset.

    >>> plan_text(Place("predictions", "abc", 0), 41)
    '1 abc 41'
    """
    return f"{FORM} {place.topic_id} {last}"


def position_text(place: Place) -> str:
    """Give the commit metadata of a position without a plan."""
    return f"{FORM} {place.topic_id}"


def opening(place: Place, offset: int | None, metadata: str | None) -> Opening:
    """Read a group's commit.

    Args:
        place: the partition, with the topic's present id.
        offset: the committed offset, None or negative for none.
        metadata: what was committed beside it; what this module did not write is a position without a plan.

    >>> opening(Place("predictions", "abc", 0), 7, "1 abc 41")
    Opening(first=7, planned_last=41)
    >>> opening(Place("predictions", "new", 0), 7, "1 abc 41")
    Opening(first=None, planned_last=None)
    """
    if offset is None or offset < 0:
        return Opening(None, None)
    words = (metadata or "").split(" ")
    if words[0] != FORM or len(words) not in (2, 3):
        return Opening(offset, None)
    if words[1] != place.topic_id:
        # The topic was deleted and made again: the old offsets mean nothing in it.
        return Opening(None, None)
    last = words[2] if words[2:] else ""
    return Opening(offset, int(last) if last.isdecimal() and int(last) >= offset else None)
