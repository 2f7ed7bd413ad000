"""The bounded buffer between the application's threads and the one that sends: what comes in, and what is refused."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from driftline.agents.emit.bell import Bell
from driftline.agents.emit.gathering import BATCH_BYTES, Gathering, Loose, Taken, take_piece
from driftline.agents.emit.heavy import HeavyQueue
from driftline.agents.emit.label_queue import LabelQueue
from driftline.agents.emit.labels import Label
from driftline.agents.emit.ledger import Book, Ledger
from driftline.agents.emit.options import Options
from driftline.agents.emit.packed import Packed, Parcel
from driftline.agents.emit.room import Room
from driftline.agents.emit.shapes import Shape
from driftline.agents.emit.shelf import Shelf

PREDICTIONS: Final = "predictions"
LABELS: Final = "labels"
_NEVER: Final = sys.maxsize
# Callers leave single events and labels to others when less than this part of a piece waits.
_PIECE_PART: Final = 4


class Door:
    """Everything that waits to be sealed, under one cap in rows and one in bytes.

    Single events of known size are appended to `rows` without a lock while `len(rows) < limit`; everything else comes
    in through a method, which takes the lock for some microseconds. `limit` is the smaller of the room that is left
    and the length at which the sender wants to be woken; several threads may pass it together, each by one event.

    Little may wait as objects: when `is_loose` says so, callers take some (`take_loose`), pack it and bring it back
    (`packed`).
    """

    def __init__(self, options: Options, open_door: Callable[[], bool]) -> None:
        self.rows: deque[tuple[Any, ...]] = deque()
        self.limit = 0
        self.lock: Final = threading.RLock()
        self.ledgers: Final[Mapping[str, Ledger]] = {PREDICTIONS: Ledger(), LABELS: Ledger()}
        self.is_closed = False
        # Why there is no room, when there is none: the sender says so when the spool is full too.
        self.full_reason = "buffer_full"
        self._open_door = open_door
        self.bell: Final = Bell()
        self._gathering = Gathering(options.batch_rows)
        self._cap_rows = options.buffer_events
        self.room: Final = Room(options)
        self._heavy = HeavyQueue(self.room)
        self._labels = LabelQueue(self.room, options.batch_rows)
        self._may_pack = True
        self._ring_at = 0

    @property
    def has_rows(self) -> bool:
        """Whether anything waits, or is about to again."""
        return bool(self.waiting or self._gathering or self.is_packing)

    @property
    def waiting(self) -> int:
        """Number of single events and labels that wait."""
        return len(self.rows) + len(self._heavy) + self._labels.rows

    @property
    def gathering_since_s(self) -> float | None:
        """Since when rows of columns wait (monotonic); None when there are none."""
        with self.lock:
            return self._gathering.since_s

    @property
    def is_crowded(self) -> bool:
        """Whether so many single events wait that the sender should not give way to those who bring more."""
        return self.room.is_crowded(len(self.rows))

    @property
    def is_packing(self) -> bool:
        """Whether callers have taken single events or labels to pack them."""
        return self.room.packing_bytes > 0

    @property
    def is_loose(self) -> bool:
        """Whether so much waits as objects that it should be packed."""
        return self.room.is_loose(len(self.rows))

    @property
    def buffer_bytes(self) -> int:
        """Bytes in memory, waiting or on their way (twice: Kafka's client copies them); for single events a bound."""
        return self.room.held_bytes(len(self.rows))

    def add(self, shape: Shape, row: tuple[Any, ...], size_bytes: int = 0, *, refuse: bool = True) -> bool:
        """Take one event, or not; then it is counted as refused if `refuse`.

        `size_bytes` is its size when it is larger than its shape says.
        """
        with self.lock:
            room = self.room
            room.meet(shape)
            taken_bytes = size_bytes or room.row_size(len(self.rows))
            loose_bytes = size_bytes or room.loose_row_bytes
            if not self._admit(PREDICTIONS, 1, taken_bytes, loose_bytes, refuse=refuse):
                return False
            if size_bytes:
                self._heavy.add(row, size_bytes)
                self.ledgers[PREDICTIONS].accept(1)
            else:
                self.rows.append(row)
            self._ring_if_due()
            return True

    def add_parcel(self, parcel: Parcel, shelf: Shelf, *, refuse: bool) -> bool:
        """Take many predictions whole, or not; then they are counted as refused if `refuse`.

        They are copied to the shelf once there is room: what is refused must not lie between what waits.
        """
        with self.lock:
            size_bytes, loose_bytes = parcel.size_bytes, parcel.loose_bytes
            if not self._admit(PREDICTIONS, parcel.rows, size_bytes, loose_bytes, refuse=refuse):
                return False
            self._gather(parcel.laid(shelf))
            self.ledgers[PREDICTIONS].accept(parcel.rows)
            self._set_limit()
            if self._gathering.has_batch or not self._ring_at:
                self.ring()
            return True

    def let_pack(self, *, may: bool) -> None:
        """Whether callers may take something to pack it; not while someone waits for all that was offered."""
        with self.lock:
            self._may_pack = may

    def take_loose(self, loose: Loose) -> None:
        """Put single events that their caller packs into `loose`, whatever interrupts it; none unless it may pack."""
        with self.lock:
            room, taken, size_bytes = self.room, loose.rows, 0
            room.note(len(self.rows))
            if self._may_pack:
                size_bytes = self._heavy.take(taken, _NEVER, room.piece_bytes)
            if self._may_pack and not taken and len(self.rows) * _PIECE_PART >= room.piece_rows:
                # As when the sender takes some.
                self.limit = 0
                try:
                    take_piece(self.rows, room.piece_rows, taken)
                finally:
                    self.ledgers[PREDICTIONS].accept(len(taken))
                size_bytes = len(taken) * room.row_bytes
            loose.size_bytes = size_bytes
            room.packing_bytes += size_bytes
            self._set_limit()

    def packed(self, loose: Loose, found: Sequence[Packed]) -> None:
        """Take back what was taken to be packed; events that are not in `found` could not be."""
        with self.lock:
            self.room.packing_bytes -= loose.size_bytes
            for one in found:
                self._gather(one)
            if lost := len(loose.rows) - sum(one.rows for one in found):
                self.ledgers[PREDICTIONS].drop(lost, "invalid", "held")
            if self._gathering.has_batch:
                self.ring()
            self._set_limit()

    def pack_labels(self, shelf: Shelf) -> None:
        """Pack some labels, when enough wait."""
        with self.lock:
            self.room.note(len(self.rows))
            self._labels.pack(shelf)

    def add_labels(self, labels: Sequence[Label]) -> None:
        """Take labels together, or each by itself as far as there is room; the rest is refused."""
        sizes = [label.size_bytes for label in labels]
        whole_bytes = sum(sizes)
        with self.lock:
            if self._admit(LABELS, len(labels), whole_bytes, whole_bytes, refuse=False):
                self._take(labels, whole_bytes)
                return
            for label, size_bytes in zip(labels, sizes, strict=True):
                if self._admit(LABELS, 1, size_bytes, size_bytes):
                    self._take([label], size_bytes)

    def refuse(self, topic: str, rows: int, reason: str) -> None:
        """Count what the application offered in vain."""
        with self.lock:
            self.ledgers[topic].refuse(rows, reason)

    def take_rows(self, most: int) -> list[tuple[Any, ...]]:
        """Take single events to be sealed, at most so many; their bytes count until the sender says what it holds."""
        with self.lock:
            room = self.room
            most = min(most, room.batch_rows)
            room.note(len(self.rows))
            # What is taken is held on: its room must not be filled meanwhile by those who come without the lock.
            self.limit = 0
            rows = self.rows
            taken = [rows.popleft() for _ in range(min(most, len(rows)))]
            self.ledgers[PREDICTIONS].accept(len(taken))
            room.sealing_bytes += len(taken) * room.row_bytes
            room.sealing_bytes += self._heavy.take(taken, most, BATCH_BYTES)
            self._set_limit()
            return taken

    def take_gathered(self, until_s: float) -> Taken | None:
        """Take the rows of columns of one batch; without one, those that wait since before a time (monotonic)."""
        with self.lock:
            room = self.room
            room.note(len(self.rows))
            taken = self._gathering.take(until_s)
            if taken is not None:
                room.waiting_bytes -= taken.done_bytes
                room.tight_bytes -= taken.done_bytes - taken.loose_bytes
                room.sealing_bytes += taken.done_bytes
            return taken

    def take_labels(self, most: int) -> list[Label]:
        """Take labels to be sealed, at most so many."""
        with self.lock:
            self.room.note(len(self.rows))
            return self._labels.take(most)

    def sealed(self, memory_bytes: int) -> None:
        """What was taken is sealed (or lost); the sender holds so much now."""
        with self.lock:
            self.room.sealing_bytes, self.room.memory_bytes = 0, memory_bytes
            self._set_limit()

    def ring(self) -> None:
        """Wake the sender."""
        self._ring_at = _NEVER
        self.bell.ring()

    def settle(self, ring_at: int, memory_bytes: int, idle_bytes: int) -> None:
        """The sender says when to wake it, what it holds and what of it lies idle; the limit follows."""
        with self.lock:
            self._ring_at = ring_at
            self.room.memory_bytes, self.room.idle_bytes = memory_bytes, idle_bytes
            self._set_limit()
            if self._gathering.has_batch or (self.has_rows and len(self.rows) >= ring_at):
                self.ring()

    def books(self) -> dict[str, Book]:
        """Every book, at one moment; call it under the lock."""
        return {
            PREDICTIONS: self.ledgers[PREDICTIONS].book(len(self.rows)),
            LABELS: self.ledgers[LABELS].book(),
        }

    def close(self) -> None:
        """Refuse everything from now on."""
        with self.lock:
            self.is_closed = True
            self._set_limit()

    def sweep(self) -> None:
        """Refuse what slipped in while the door was closing; only when the sender has ended."""
        with self.lock:
            while self.rows:
                self.rows.popleft()
                self.ledgers[PREDICTIONS].refuse(1, "closed")

    def _free_rows(self) -> int:
        held = self.ledgers[PREDICTIONS].held + self.ledgers[LABELS].held
        return self._cap_rows - held - len(self.rows)

    def _take(self, labels: Sequence[Label], size_bytes: int) -> None:
        self.ledgers[LABELS].accept(len(labels))
        self._labels.add(labels, size_bytes)
        self._ring_if_due()

    def _gather(self, packed: Packed) -> None:
        size_bytes = self._gathering.add(packed, time.monotonic())
        self.room.waiting_bytes += size_bytes
        self.room.tight_bytes += size_bytes - packed.loose_bytes

    def _admit(
        self, topic: str, rows: int, size_bytes: int, loose_bytes: int, *, refuse: bool = True
    ) -> bool:
        reason = ""
        if self.is_closed or not self._open_door():
            reason = "closed"
        elif rows > self._free_rows() or not self.room.fits(len(self.rows), size_bytes, loose_bytes):
            reason = self.full_reason
            self.ring()
        if reason and refuse:
            self.ledgers[topic].refuse(rows, reason)
        return not reason

    def _ring_if_due(self) -> None:
        if self.waiting > self._ring_at:
            self.ring()
        self._set_limit()

    def _set_limit(self) -> None:
        queued = len(self.rows)
        room = queued + min(self._free_rows(), self.room.fitting(queued))
        self.limit = 0 if self.is_closed else max(0, min(room, self._ring_at))
