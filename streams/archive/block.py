"""Block: the records between two offsets of one partition, inserted together under one token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from driftline.streams.archive.entry import Entry
    from driftline.streams.archive.place import Place


@dataclass(slots=True)
class Block:
    """Everything from offset `first` to `last`, both included; offsets that hold no record count as seen.

    `planned` is true for a block that a commit already names: the insert may have happened.
    """

    place: Place
    first: int
    last: int
    entries: list[Entry]
    planned: bool

    @property
    def token(self) -> str:
        """Name of this content for ClickHouse: the same bounds in the same log are the same records."""
        return f"{self.place.topic_id}:{self.place.partition}:{self.first}-{self.last}"

    @property
    def size_bytes(self) -> int:
        """Bytes of its records as they travelled."""
        return sum(entry.size_bytes for entry in self.entries)


def beyond(block: Block, stored: int) -> Block | None:
    """Give the part of a block that lies beyond the offset already stored; None when nothing does.

    Only a group whose commits were lost or set back by hand meets this: ClickHouse's own book of blocks knows better.
    """
    if block.last <= stored:
        return None
    if block.first > stored:
        return block
    rest = [entry for entry in block.entries if entry.offset > stored]
    return Block(block.place, stored + 1, block.last, rest, planned=False)
