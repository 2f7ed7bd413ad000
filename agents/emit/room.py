"""What waits, counted in bytes: how much of it lies as objects, what of that stays behind, and what still fits."""

from __future__ import annotations

import os
import threading
from typing import Final

from driftline.agents.emit.options import Options
from driftline.agents.emit.shapes import Shape

# Objects that are taken at once to be sealed: wide events make batches of fewer.
_BATCH_LOOSE_BYTES: Final = 1 << 21
# Parts of the cap in bytes. Past the first the sender does not give way; from the second on callers pack what waits as
# objects, in pieces of the third; past the fourth nothing comes in as objects.
_CROWD_SHARE: Final = 1 / 32
_LOOSE_SHARE: Final = 1 / 16
_PIECE_SHARE: Final = 1 / 64
_MOST_LOOSE_SHARE: Final = 1 / 8
_LEAST_PIECE_BYTES: Final = 1 << 17
# What the allocator keeps for each thread that brings something, and what sealing takes.
_THREAD_SHARE: Final = 1 / 48
_SEALING_SHARE: Final = 1 / 16
# As many heaps has glibc for the threads of a process.
_MOST_HEAPS: Final = 8 * (os.cpu_count() or 1)
# All that is kept counts up to here, so that there is always room for something.
_KEPT_SHARE: Final = 3 / 4


class Room:
    """Bytes under one cap. `queued` is the number of single events of known size, which come and go uncounted.

    What waits is `loose` unless it lies on a shelf, packed (`tight_bytes`): the allocator of the process keeps its
    memory, scattered over what each thread had, for what comes next of the same kind. So the most that ever waited
    loosely counts from then on, and a share of the cap for each thread. Not locked: its owner is.

    `waiting_bytes` is what waits beside the queue, `packing_bytes` what callers are packing, `sealing_bytes` what is
    taken to be sealed, `memory_bytes` what is sealed, `idle_bytes` what of Kafka's client lies idle.
    """

    def __init__(self, options: Options) -> None:
        self.waiting_bytes = 0
        self.tight_bytes = 0
        self.packing_bytes = 0
        self.sealing_bytes = 0
        self.memory_bytes = 0
        self.idle_bytes = 0
        self.row_bytes = 1
        # Smaller ones would take more as objects that hold them than as numbers.
        least_bytes = min(_LEAST_PIECE_BYTES, options.buffer_bytes * _LOOSE_SHARE)
        self.piece_bytes: Final = int(max(least_bytes, options.buffer_bytes * _PIECE_SHARE))
        self._cap_bytes = options.buffer_bytes
        self._batch_rows = options.batch_rows
        self._loose_row_bytes = 0
        self._loose_most_bytes = 0
        self._threads: set[int] = set()

    def meet(self, shape: Shape) -> None:
        """An event of a shape has come: the largest so far stands for all that are queued."""
        self.row_bytes = max(self.row_bytes, shape.row_bytes)
        self._loose_row_bytes = max(self._loose_row_bytes, shape.loose_bytes)

    @property
    def batch_rows(self) -> int:
        """Number of single events that make a batch."""
        return max(1, min(self._batch_rows, _BATCH_LOOSE_BYTES // max(1, self._loose_row_bytes)))

    @property
    def piece_rows(self) -> int:
        """Number of single events that are packed at once."""
        return max(1, self.piece_bytes // max(1, self._loose_row_bytes))

    def held_bytes(self, queued: int) -> int:
        """Everything in memory, waiting or on its way; for queued events a bound."""
        held = self.waiting_bytes + self.packing_bytes + self.sealing_bytes + self.memory_bytes
        return held + queued * self.row_bytes

    def is_crowded(self, queued: int) -> bool:
        """Whether so many events are queued that the sender should hurry."""
        return queued * self.row_bytes > self._cap_bytes * _CROWD_SHARE

    def is_loose(self, queued: int) -> bool:
        """Whether so much waits as objects that callers should pack some."""
        return self._loose_bytes(queued) >= self._cap_bytes * _LOOSE_SHARE

    def note(self, queued: int) -> None:
        """Keep in mind the most that ever waited loosely; before anything loose is taken away."""
        self._loose_most_bytes = max(self._loose_most_bytes, self._loose_bytes(queued))

    def fits(self, queued: int, size_bytes: int, loose_bytes: int) -> bool:
        """Whether there is room for something more, of which a part are objects."""
        if len(self._threads) < _MOST_HEAPS:
            self._threads.add(threading.get_ident())
        waits = self._loose_bytes(queued)
        if waits and waits + loose_bytes > self._cap_bytes * _MOST_LOOSE_SHARE:
            return False
        return size_bytes <= self._free_bytes(queued)

    def row_size(self, queued: int) -> int:
        """What one more queued event takes: less when it fits where others have been."""
        again = self._left_bytes(queued) >= self._loose_row_bytes
        return self.row_bytes - (self._loose_row_bytes if again else 0)

    @property
    def loose_row_bytes(self) -> int:
        """What one queued event takes as objects."""
        return self._loose_row_bytes

    def fitting(self, queued: int) -> int:
        """Number of events that may be queued beyond these without a look at the room; may be below 0."""
        free_bytes = self._free_bytes(queued)
        fit = free_bytes // self.row_bytes
        if self._loose_row_bytes:
            again = self._left_bytes(queued) // self._loose_row_bytes
            fit = max(fit, min(again, free_bytes // (self.row_bytes - self._loose_row_bytes)))
            # Whoever would bring more than may lie about packs some first.
            loose = int(self._cap_bytes * _LOOSE_SHARE) - self._loose_bytes(queued)
            fit = min(fit, loose // self._loose_row_bytes)
        return fit

    def _free_bytes(self, queued: int) -> int:
        held_bytes = self.held_bytes(queued)
        # Where nothing is held, whatever the cap allows is let in.
        return self._cap_bytes - held_bytes - (self._kept_bytes(queued) if held_bytes else 0)

    def _kept_bytes(self, queued: int) -> int:
        share = _SEALING_SHARE + _THREAD_SHARE * len(self._threads)
        kept_bytes = self._left_bytes(queued) + self.idle_bytes + share * self._cap_bytes
        return int(min(kept_bytes, _KEPT_SHARE * self._cap_bytes))

    def _loose_bytes(self, queued: int) -> int:
        waiting = self.waiting_bytes - self.tight_bytes + self.packing_bytes
        return waiting + queued * self._loose_row_bytes

    def _left_bytes(self, queued: int) -> int:
        """Bytes that a burst has left, which single events take again."""
        self.note(queued)
        return self._loose_most_bytes - self._loose_bytes(queued)
