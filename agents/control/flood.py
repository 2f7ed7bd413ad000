"""Flood: records that are told of one by one up to a number a minute, and beyond it as one.

They are those that no known key signed, and those that one did, but that anybody may send again who has seen them: what
is not admitted. Each kind has a number of its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from driftline.agents.audit.tree import Frontier, leaf_hash
from driftline.agents.control.admission import Arrived

A_MINUTE: Final = 100
HELD_MS: Final = 5_000
"""How long what is told of as one may wait for more, where nothing else is told of."""
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Flooded:
    """Many records as one.

    Attributes:
        count: how many.
        first_offset, last_offset: the first and the last of them.
        size_bytes: of all their values.
        root: root of the Merkle tree (RFC 6962) over their values, in the order of their offsets, in hex; of one, its
            sha256.
    """

    count: int
    first_offset: int
    last_offset: int
    size_bytes: int
    root: str


class Many:
    """Counts records that are told of as one, in constant memory."""

    __slots__ = ("_bytes", "_digest", "_first", "_last", "_tree", "since_ms")

    def __init__(self) -> None:
        self._tree = Frontier()
        self._digest, self.since_ms = "", 0
        """Of the first, and when it came."""
        self._first = self._last = -1
        self._bytes = 0

    def take(self, record: Arrived) -> None:
        """Count one more."""
        if not self._tree.size:
            self._first, self.since_ms = record.offset, record.at_ms
            self._digest = hashlib.sha256(record.value).hexdigest()
        self._last = record.offset
        self._bytes += len(record.value)
        self._tree.push(leaf_hash(record.value))

    def told(self) -> Flooded | None:
        """Give all of them as one; None when there is none."""
        if not self._tree.size:
            return None
        root = self._digest if self._tree.size == 1 else self._tree.root().hex()
        return Flooded(self._tree.size, self._first, self._last, self._bytes, root)


class Flood:
    """Counts a minute of the broker's time; it needs the same memory whatever comes."""

    __slots__ = ("_many", "_minute", "_single")

    def __init__(self) -> None:
        self._minute = -1
        self._single = {False: 0, True: 0}
        self._many = Many()

    def is_single(self, record: Arrived, *, is_signed: bool = False) -> bool:
        """Take one record in: True when it is to be told of by itself, False when `told` will tell of it."""
        minute = record.at_ms // _MINUTE_MS
        if minute > self._minute:
            self._minute, self._single = minute, {False: 0, True: 0}
        if self._single[is_signed] < A_MINUTE:
            self._single[is_signed] += 1
            return True
        self._many.take(record)
        return False

    def is_due(self, now_ms: int) -> bool:
        """Whether what is held back has waited long enough; the clock may be set back."""
        return abs(now_ms - self._many.since_ms) >= HELD_MS

    def told(self) -> Flooded | None:
        """Give what was held back since the last call, to be told before the position moves past it; or None."""
        made, self._many = self._many.told(), Many()
        return made
