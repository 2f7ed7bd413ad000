"""Labels that wait: each by itself, or packed where many do."""

from __future__ import annotations

import marshal
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from driftline.agents.emit.labels import LABEL_BYTES, Label
from driftline.agents.emit.room import Room
from driftline.agents.emit.shelf import Shelf

PACKED_BYTES: Final = 512
"""Memory of packed labels beside their place: objects."""


@dataclass(frozen=True, slots=True)
class PackedLabels:
    """Labels in one place on a shelf, marshalled."""

    rows: int
    data: memoryview

    @classmethod
    def of(cls, labels: Sequence[Label], shelf: Shelf) -> PackedLabels:
        """Pack labels."""
        return cls(len(labels), shelf.bytes_like(marshal.dumps([tuple(one) for one in labels])))

    @property
    def size_bytes(self) -> int:
        """Memory they take."""
        return len(self.data) + PACKED_BYTES

    def opened(self) -> list[Label]:
        """The labels again."""
        return [Label(*one) for one in marshal.loads(self.data)]  # noqa: S302 - our own bytes


class LabelQueue:
    """The labels of one door, which tell its room what they take. Not locked: its owner is."""

    def __init__(self, room: Room, batch_rows: int) -> None:
        self.rows = 0
        self._room = room
        self._most = max(1, min(batch_rows, room.piece_bytes // LABEL_BYTES))
        self._labels: deque[Label] = deque()
        self._packed: deque[PackedLabels] = deque()

    def add(self, labels: Sequence[Label], size_bytes: int) -> None:
        """Labels wait, which take so much."""
        self._labels.extend(labels)
        self._room.waiting_bytes += size_bytes
        self.rows += len(labels)

    def pack(self, shelf: Shelf) -> None:
        """Pack the oldest, when enough wait."""
        if len(self._labels) < self._most:
            return
        labels = [self._labels.popleft() for _ in range(self._most)]
        packed = PackedLabels.of(labels, shelf)
        self._packed.append(packed)
        self._room.waiting_bytes += packed.size_bytes - sum(one.size_bytes for one in labels)
        self._room.tight_bytes += len(packed.data)

    def take(self, most: int) -> list[Label]:
        """Take labels to be sealed, at most so many."""
        taken: list[Label] = []
        size_bytes = 0
        while self._packed and len(taken) + self._packed[0].rows <= most:
            packed = self._packed.popleft()
            taken += packed.opened()
            size_bytes += packed.size_bytes
            self._room.tight_bytes -= len(packed.data)
        while self._labels and not self._packed and len(taken) < most:
            label = self._labels.popleft()
            taken.append(label)
            size_bytes += label.size_bytes
        self._room.waiting_bytes -= size_bytes
        self._room.sealing_bytes += size_bytes
        self.rows -= len(taken)
        return taken
