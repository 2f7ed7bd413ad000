"""Single events that wait and carry more text than their shape allows for: each is counted by itself."""

from __future__ import annotations

from collections import deque
from typing import Any

from driftline.agents.emit.room import Room


class HeavyQueue:
    """The heavy events of one door, which tell its room what they take. Not locked: its owner is."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._waiting: deque[tuple[tuple[Any, ...], int]] = deque()

    def __len__(self) -> int:
        """Number of events."""
        return len(self._waiting)

    def add(self, row: tuple[Any, ...], size_bytes: int) -> None:
        """An event waits."""
        self._waiting.append((row, size_bytes))
        self._room.waiting_bytes += size_bytes

    def take(self, taken: list[tuple[Any, ...]], most: int, most_bytes: int) -> int:
        """Move the oldest to `taken`, until it has so many rows or they so many bytes; gives their bytes."""
        sum_bytes = 0
        while self._waiting and len(taken) < most and sum_bytes < most_bytes:
            row, size_bytes = self._waiting.popleft()
            self._room.waiting_bytes -= size_bytes
            sum_bytes += size_bytes
            taken.append(row)
        return sum_bytes
