"""Seals: which sealed batches of labels of one deployment were taken, so that one that is sent again does nothing.

A batch sent again lies later in the log; of two labels of an id that became known at the same time it would otherwise
bring back the one that was corrected meanwhile. What is read again after a restart must be told from what comes again:
so the offsets of repeats are kept as long as labels are read from before them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.streams.windows.marks import SequenceMarks

if TYPE_CHECKING:
    from collections.abc import Container

    from driftline.schemas.columns import Identity, LabelColumns

SEAL_KEY: Final = b"m"
REPEATS_MAX: Final = 4_096
"""Offsets of repeats that are kept; of more, the oldest are taken for labels when they are read again."""


@dataclass(slots=True)
class Seals:
    """The seals of one deployment.

    Attributes:
        marks: of each emitter.
        repeats: offsets of records that came before.
        reached: offset of the last record looked at.
        stored: that which the stored state has looked at; None when it has nothing of this deployment.
    """

    marks: SequenceMarks = field(default_factory=SequenceMarks)
    repeats: set[int] = field(default_factory=set)
    reached: int = -1
    stored: int | None = None

    def is_new(self, offset: int, identity: Identity | None, heard_ms: int) -> bool:
        """Tell whether a record of labels, in the order of the log, is no repeat; one without a seal never is."""
        if offset <= self.reached:
            return offset not in self.repeats
        self.reached = offset
        if identity is None or self.marks.see(identity.instance, identity.epoch, identity.seq, heard_ms):
            return True
        self.repeats.add(offset)
        return False

    def to_bytes(self, first: int) -> bytes:
        """Give what a restart needs that reads labels from an offset on."""
        kept = sorted(offset for offset in self.repeats if offset >= first)[-REPEATS_MAX:]
        self.repeats, self.stored = set(kept), self.reached
        return msgspec.msgpack.encode((self.reached, kept, self.marks.to_list()))

    @classmethod
    def from_bytes(cls, data: bytes) -> Seals:
        """The reverse of `to_bytes`."""
        reached, repeats, marks = msgspec.msgpack.decode(data)
        return cls(SequenceMarks.from_list(marks), set(repeats), reached, reached)


class SealBook:
    """The seals of every deployment of a partition."""

    def __init__(self) -> None:
        self._by_name: dict[str, Seals] = {}

    def is_new(self, offset: int, cols: LabelColumns, heard_ms: int) -> bool:
        """Tell of the next record of labels whether it is no repeat."""
        seals = self._by_name.setdefault(cols.deployment, Seals())
        return seals.is_new(offset, cols.identity, heard_ms)

    def records(self, held: Container[str], first: int) -> list[tuple[bytes, bytes | None]]:
        """Give the stored state of what has changed, a tombstone for a deployment that is held no more.

        Args:
            held: names of the deployments in memory.
            first: offset that a restart reads labels from.
        """
        found: list[tuple[bytes, bytes | None]] = []
        for name, seals in tuple(self._by_name.items()):
            key = SEAL_KEY + name.encode()
            if name not in held:
                del self._by_name[name]
                found += [(key, None)] if seals.stored is not None else []
            elif seals.stored != seals.reached:
                found.append((key, seals.to_bytes(first)))
        return found

    def take_up(self, key: bytes, value: bytes) -> None:
        """Take up a record of the stored state, if it is one of seals."""
        if key.startswith(SEAL_KEY):
            self._by_name[key[len(SEAL_KEY) :].decode()] = Seals.from_bytes(value)
