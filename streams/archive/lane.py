"""Lane: one assigned partition; collects its records and cuts them into blocks. Pure: time is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.streams.archive.block import Block

if TYPE_CHECKING:
    from driftline.streams.archive.entry import Entry
    from driftline.streams.archive.place import Opening, Place


@dataclass(frozen=True, slots=True)
class Limits:
    """When a block is full: rows, bytes as they travelled, records, or seconds since its first record came."""

    rows: int
    size_bytes: int
    records: int
    seconds: float


class Lane:
    """The records of one partition since the last block was cut.

    While a planned block is outstanding, nothing else is cut: it has to be inserted first, with the bounds it had.
    """

    __slots__ = ("_entries", "_since_s", "_size_bytes", "first", "next", "place", "planned_last", "rows")

    def __init__(self, place: Place, start: Opening, beginning: int) -> None:
        """Take up a partition; `beginning` is the first offset its log still has."""
        self.place = place
        self.first = beginning if start.first is None else start.first
        """First offset that no block has covered yet."""
        self.next = max(self.first, beginning)
        """Next offset that may come."""
        self.planned_last = start.planned_last
        self.rows = 0
        self._entries: list[Entry] = []
        self._size_bytes = 0
        self._since_s = 0.0

    @property
    def size_bytes(self) -> int:
        """Bytes held."""
        return self._size_bytes

    def take(self, entry: Entry, now_s: float) -> Block | None:
        """Add the next record and give the planned block when this record completes it.

        A record below the next offset was delivered twice by the client and is left out.
        """
        if entry.offset < self.next:
            return None
        ready = self.reached(entry.offset) if self.planned_last is not None else None
        if not self._entries:
            self._since_s = now_s
        self._entries.append(entry)
        self._size_bytes += entry.size_bytes
        self.rows += entry.rows
        self.next = entry.offset + 1
        return ready or self.reached(self.next)

    def reached(self, offset: int) -> Block | None:
        """Learn that nothing below `offset` is to come, and give the planned block if that completes it.

        Offsets may hold no record (transaction markers, retention), so the last one need not be seen.
        """
        self.next = max(self.next, offset)
        if self.planned_last is None or self.next <= self.planned_last:
            return None
        return self._cut(self.planned_last, planned=True)

    def cut(self, limits: Limits, now_s: float, *, closing: bool = False) -> Block | None:
        """Give a block if one is due, or if `closing` and there is anything to store."""
        if self.planned_last is not None or not self._entries:
            return None
        due = (
            closing
            or self.rows >= limits.rows
            or self._size_bytes >= limits.size_bytes
            or len(self._entries) >= limits.records
            or now_s - self._since_s >= limits.seconds
        )
        # Up to what is known to hold no record more, such as the marker of a transaction: nothing of it is lag.
        return self._cut(self.next - 1, planned=False) if due else None

    def _cut(self, last: int, *, planned: bool) -> Block:
        inside = [entry for entry in self._entries if entry.offset <= last]
        block = Block(self.place, self.first, last, inside, planned)
        # A planned block may be completed by a record behind it, which then begins the next one.
        self._entries = self._entries[len(inside) :]
        self._size_bytes = sum(entry.size_bytes for entry in self._entries)
        self.rows = sum(entry.rows for entry in self._entries)
        self.first = last + 1
        self.planned_last = None
        return block
