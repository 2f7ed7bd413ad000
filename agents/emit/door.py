"""The bounded buffer between the application's threads and the one that sends: what comes in, and what is refused."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from driftline.agents.emit.assemble import Chunk
from driftline.agents.emit.labels import Label
from driftline.agents.emit.ledger import Book, Ledger
from driftline.agents.emit.options import Options
from driftline.agents.emit.shapes import Shape

PREDICTIONS: Final = "predictions"
LABELS: Final = "labels"
_NEVER: Final = sys.maxsize
# Parts of the cap in bytes: past the first the sender hurries and chunks wait on a shelf; what was held and is idle now
# counts up to the second, so that there is always room for something.
_CROWD_SHARE: Final = 1 / 10
_KEPT_SHARE: Final = 3 / 4


class Door:
    """Everything that waits to be sealed, under one cap in rows and one in bytes.

    Single events of known size are appended to `rows` without a lock while `len(rows) < limit`; everything else comes
    in through a method, which takes the lock for some microseconds. `limit` is the smaller of the room that is left
    and the length at which the sender wants to be woken; several threads may pass it together, each by one event.

    What waits is `loose` unless it lies on a shelf (`tight`): the allocator of the process keeps its memory for what
    comes next of the same kind. So the most that ever waited loosely counts against the cap in bytes from then on.
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
        self._bell = threading.Lock()
        self._bell.acquire()
        self._heavy: deque[tuple[tuple[Any, ...], int]] = deque()
        self._chunks: deque[Chunk] = deque()
        self._labels: deque[Label] = deque()
        self._cap_rows = options.buffer_events
        self._cap_bytes = options.buffer_bytes
        self._row_bytes = 1
        self._waiting_bytes = 0
        self._memory_bytes = 0
        self._idle_bytes = 0
        self._sealing_bytes = 0
        self._kept_cap_bytes = int(options.buffer_bytes * _KEPT_SHARE)
        self._loose_row_bytes = 0
        self._loose_most_bytes = 0
        self._tight_bytes = 0
        self._ring_at = 0

    @property
    def has_rows(self) -> bool:
        """Whether single events or labels wait."""
        return bool(self.rows or self._heavy or self._labels)

    @property
    def waiting(self) -> int:
        """Number of single events and labels that wait."""
        return len(self.rows) + len(self._heavy) + len(self._labels)

    @property
    def is_crowded(self) -> bool:
        """Whether so many single events wait that the sender should not give way to those who bring more."""
        return len(self.rows) * self._row_bytes > self._cap_bytes * _CROWD_SHARE

    @property
    def buffer_bytes(self) -> int:
        """Bytes in memory, waiting or on their way (twice: Kafka's client copies them); for single events a bound."""
        rows_bytes = len(self.rows) * self._row_bytes
        return self._waiting_bytes + self._sealing_bytes + self._memory_bytes + rows_bytes

    def add(self, shape: Shape, row: tuple[Any, ...], size_bytes: int = 0, *, refuse: bool = True) -> bool:
        """Take one event, or not; then it is counted as refused if `refuse`.

        `size_bytes` is its size when it is larger than its shape says.
        """
        with self.lock:
            self._row_bytes = max(self._row_bytes, shape.row_bytes)
            self._loose_row_bytes = max(self._loose_row_bytes, shape.loose_bytes)
            fits_idle = self._left_bytes() >= self._loose_row_bytes
            row_bytes = self._row_bytes - (self._loose_row_bytes if fits_idle else 0)
            if not self._admit(PREDICTIONS, 1, size_bytes or row_bytes, refuse=refuse):
                return False
            if size_bytes:
                self._heavy.append((row, size_bytes))
                self._take_in(PREDICTIONS, 1, size_bytes)
            else:
                self.rows.append(row)
            self._ring_if_due()
            return True

    def wants_tight(self, chunk: Chunk) -> bool:
        """Whether there is room for a chunk, but not for one whose memory may stay behind."""
        if self._loose_bytes + chunk.size_bytes <= self._cap_bytes * _CROWD_SHARE:
            return False
        with self.lock:
            return chunk.size_bytes <= self._room()[1]

    def add_chunk(self, chunk: Chunk, *, refuse: bool) -> bool:
        """Take many predictions whole, or not; then they are counted as refused if `refuse`."""
        with self.lock:
            if not self._admit(PREDICTIONS, chunk.rows, chunk.size_bytes, refuse=refuse):
                return False
            self._chunks.append(chunk)
            self._tight_bytes += chunk.size_bytes if chunk.is_tight else 0
            self._take_in(PREDICTIONS, chunk.rows, chunk.size_bytes)
            self.ring()
            return True

    def add_label(self, label: Label) -> None:
        """Take or refuse one label."""
        with self.lock:
            if self._admit(LABELS, 1, label.size_bytes):
                self._labels.append(label)
                self._take_in(LABELS, 1, label.size_bytes)
                self._ring_if_due()

    def refuse(self, topic: str, rows: int, reason: str) -> None:
        """Count what the application offered in vain."""
        with self.lock:
            self.ledgers[topic].refuse(rows, reason)

    def take_rows(self, most: int) -> list[tuple[Any, ...]]:
        """Take single events to be sealed, at most so many; their bytes count until the sender says what it holds."""
        with self.lock:
            self._note_loose()
            # What is taken is held on: its room must not be filled meanwhile by those who come without the lock.
            self.limit = 0
            rows = self.rows
            taken = [rows.popleft() for _ in range(min(most, len(rows)))]
            self.ledgers[PREDICTIONS].accept(len(taken))
            self._sealing_bytes += len(taken) * self._row_bytes
            while self._heavy and len(taken) < most:
                row, size_bytes = self._heavy.popleft()
                self._waiting_bytes -= size_bytes
                self._sealing_bytes += size_bytes
                taken.append(row)
            self._set_limit()
            return taken

    def take_chunk(self) -> Chunk | None:
        """Take one chunk to be sealed; its bytes count until `chunk_done`."""
        with self.lock:
            self._note_loose()
            return self._chunks.popleft() if self._chunks else None

    def chunk_done(self, chunk: Chunk) -> None:
        """A chunk has left memory."""
        with self.lock:
            self._waiting_bytes -= chunk.size_bytes
            self._tight_bytes -= chunk.size_bytes if chunk.is_tight else 0

    def take_labels(self, most: int) -> list[Label]:
        """Take labels to be sealed, at most so many."""
        with self.lock:
            taken = [self._labels.popleft() for _ in range(min(most, len(self._labels)))]
            size_bytes = sum(one.size_bytes for one in taken)
            self._waiting_bytes -= size_bytes
            self._sealing_bytes += size_bytes
            return taken

    def sealed(self, memory_bytes: int) -> None:
        """What was taken is sealed (or lost); the sender holds so much now."""
        with self.lock:
            self._sealing_bytes = 0
            self._memory_bytes = memory_bytes
            self._set_limit()

    def ring(self) -> None:
        """Wake the sender. A lock as a bell: releasing one that is open already is the bell ringing on."""
        self._ring_at = _NEVER
        try:
            self._bell.release()
        except RuntimeError:
            return

    def wait(self, timeout_s: float) -> bool:
        """Wait for the bell; only the sender does."""
        return self._bell.acquire(timeout=max(0.0, timeout_s))

    def settle(self, ring_at: int, memory_bytes: int, idle_bytes: int) -> None:
        """The sender says when to wake it, what it holds and what of it lies idle; the limit follows."""
        with self.lock:
            self._ring_at = ring_at
            self._memory_bytes = memory_bytes
            self._idle_bytes = idle_bytes
            self._set_limit()
            if self.has_rows and len(self.rows) >= ring_at:
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

    def _room(self) -> tuple[int, int]:
        """Rows and bytes that still fit."""
        held = self.ledgers[PREDICTIONS].held + self.ledgers[LABELS].held
        buffer_bytes = self.buffer_bytes
        kept_bytes = min(self._left_bytes() + self._idle_bytes, self._kept_cap_bytes)
        # Where nothing is held, whatever the cap allows is let in.
        free_bytes = self._cap_bytes - buffer_bytes - (kept_bytes if buffer_bytes else 0)
        return self._cap_rows - held - len(self.rows), free_bytes

    @property
    def _loose_bytes(self) -> int:
        """Bytes that wait loosely."""
        return self._waiting_bytes - self._tight_bytes + len(self.rows) * self._loose_row_bytes

    def _note_loose(self) -> None:
        """Keep in mind the most that ever waited loosely."""
        self._loose_most_bytes = max(self._loose_most_bytes, self._loose_bytes)

    def _left_bytes(self) -> int:
        """Bytes that a burst has left, which single events take again."""
        self._note_loose()
        return self._loose_most_bytes - self._loose_bytes

    def _admit(self, topic: str, rows: int, size_bytes: int, *, refuse: bool = True) -> bool:
        reason = ""
        if self.is_closed or not self._open_door():
            reason = "closed"
        else:
            free_rows, free_bytes = self._room()
            if rows > free_rows or size_bytes > free_bytes:
                reason = self.full_reason
                self.ring()
        if reason and refuse:
            self.ledgers[topic].refuse(rows, reason)
        return not reason

    def _take_in(self, topic: str, rows: int, size_bytes: int) -> None:
        self.ledgers[topic].accept(rows)
        self._waiting_bytes += size_bytes
        self._set_limit()

    def _ring_if_due(self) -> None:
        if self.waiting > self._ring_at:
            self.ring()
        self._set_limit()

    def _set_limit(self) -> None:
        free_rows, free_bytes = self._room()
        fit = free_bytes // self._row_bytes
        if self._loose_row_bytes:
            again = self._left_bytes() // self._loose_row_bytes
            fit = max(fit, min(again, free_bytes // (self._row_bytes - self._loose_row_bytes)))
        room = len(self.rows) + min(free_rows, fit)
        self.limit = 0 if self.is_closed else max(0, min(room, self._ring_at))
