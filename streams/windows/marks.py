"""Sequence marks: which sealed batches of an emitter have been seen, in bounded memory.

A batch is sealed once with (instance, epoch, topic, deployment, seq); a retry and the spool send the same
bytes again. One `SequenceMarks` belongs to one deployment and one topic and answers, in the order of the log,
"have I seen this one before?" exactly, as long as batches arrive within `WINDOW` of each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

WINDOW = 1024
"""How many sequence numbers above the contiguous mark are remembered one by one."""

MAX_EMITTERS = 2048
"""How many (instance, epoch) pairs one deployment keeps; past it the one silent for longest is forgotten."""

MAX_AGE_MS = 8 * 86_400_000
"""Marks outlive the spool's greatest age (seven days) by a day, measured in broker time."""


@dataclass(slots=True)
class Mark:
    """What was seen of one emitter process: all up to `high`, and of the next `WINDOW` those set in `bits`.

    Bit i of `bits` stands for the sequence number high + 1 + i. `lost` counts numbers that slid out of the
    window unseen; `last_ms` is the broker's time of the last batch.
    """

    high: int = -1
    bits: int = 0
    lost: int = 0
    last_ms: int = 0

    def see(self, seq: int) -> bool:
        """Note `seq` and say whether it is new."""
        ahead = seq - self.high - 1
        if ahead < 0:
            return False
        if ahead >= WINDOW:
            slide = ahead - WINDOW + 1
            passed = self.bits & ((1 << slide) - 1)
            self.lost += slide - passed.bit_count()
            self.bits >>= slide
            self.high += slide
            ahead -= slide
        if self.bits >> ahead & 1:
            return False
        self.bits |= 1 << ahead
        contiguous = (~self.bits & (self.bits + 1)).bit_length() - 1
        self.high += contiguous
        self.bits >>= contiguous
        return True


@dataclass(slots=True)
class SequenceMarks:
    """The marks of all emitters of one deployment on one topic.

    Attributes:
        marks: of each process of an emitter, (instance, epoch).
        forgotten: how many were let go before their age, since these were loaded: what those send again is new.
    """

    marks: dict[tuple[str, int], Mark] = field(default_factory=dict)
    forgotten: int = 0

    def see(self, instance: str, epoch: int, seq: int, record_time_ms: int) -> bool:
        """Note a batch and say whether it is new; call it in the order of the log, once a record.

        Args:
            instance: the emitter's name.
            epoch: its process (new for each process and fork).
            seq: the batch's sequence number, from 0.
            record_time_ms: the broker's time of the record, ms since 1970.
        """
        key = (instance, epoch)
        mark = self.marks.get(key)
        if mark is None:
            if len(self.marks) >= MAX_EMITTERS:
                self._forget(record_time_ms)
            mark = self.marks[key] = Mark()
        mark.last_ms = max(mark.last_ms, record_time_ms)
        return mark.see(seq)

    def _forget(self, now_ms: int) -> None:
        old = [key for key, mark in self.marks.items() if mark.last_ms < now_ms - MAX_AGE_MS]
        self.forgotten += not old
        for key in old or [min(self.marks, key=lambda key: (self.marks[key].last_ms, key))]:
            del self.marks[key]

    def to_list(self) -> list[tuple[str, int, int, bytes, int, int]]:
        """Plain values for storing: (instance, epoch, high, bitmap, lost, last_ms)."""
        return [
            (
                instance,
                epoch,
                m.high,
                m.bits.to_bytes((m.bits.bit_length() + 7) // 8, "little"),
                m.lost,
                m.last_ms,
            )
            for (instance, epoch), m in self.marks.items()
        ]

    @classmethod
    def from_list(cls, stored: list[tuple[str, int, int, bytes, int, int]]) -> SequenceMarks:
        """The reverse of `to_list`."""
        return cls(
            {
                (instance, epoch): Mark(high, int.from_bytes(bits, "little"), lost, last_ms)
                for instance, epoch, high, bits, lost, last_ms in stored
            }
        )
