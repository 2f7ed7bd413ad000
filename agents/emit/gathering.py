"""Packed rows that wait for a batch of the usual size: calls with the same columns share one."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from driftline.agents.emit.opened import Layout, Opened
from driftline.agents.emit.packed import Packed

BATCH_BYTES: Final = 1 << 19
"""Bytes of numbers in a batch, and as many of texts: wide and heavy rows make batches of fewer."""
UNLIKE: Final = 64
"""Times that names may change from one event to the next in a piece that a caller packs: some 15 ms of work."""
NAMES_A_CHANGE: Final = 20
"""A change that brings more names, which the piece has not met, counts as several."""
_NUMBER_BYTES: Final = 8


def rows_of_width(width: int, batch_rows: int) -> int:
    """Rows of so many columns that make a batch."""
    return max(1, min(batch_rows, BATCH_BYTES // (_NUMBER_BYTES * max(1, width))))


@dataclass(slots=True)
class _Waiting:
    """Packed rows from `start` on; they are opened once they are needed in part."""

    packed: Packed
    since_s: float
    start: int = 0
    opened: Opened | None = None


@dataclass(slots=True)
class _Queue:
    """What waits of one layout, and the memory of its names."""

    batch_rows: int
    names_bytes: int
    rows: int = 0
    text_bytes: int = 0
    waiting: deque[_Waiting] = field(default_factory=deque)

    @property
    def has_batch(self) -> bool:
        """Whether there is enough for a batch."""
        return self.rows >= self.batch_rows or self.text_bytes >= BATCH_BYTES


@dataclass(slots=True)
class Taken:
    """The rows of one batch; of what is taken to its end the size, `done_bytes`, of which `loose_bytes` are objects."""

    parts: list[Opened] = field(default_factory=list)
    done_bytes: int = 0
    loose_bytes: int = 0


@dataclass(slots=True)
class Loose:
    """Single events that a caller packs, and their size."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    size_bytes: int = 0


def take_piece(rows: deque[tuple[Any, ...]], most: int, found: list[tuple[Any, ...]]) -> None:
    """Move the first of the events that wait: so many, or few whose names are unlike, which take long to pack."""
    names: Any = None
    met: set[Any] = set()
    unlike = 0.0
    while rows and len(found) < most and unlike < UNLIKE:
        found.append(rows.popleft())
        shape, values, *_ = found[-1]
        own = values.keys() if type(values) is dict else shape.names
        try:
            if own != names:
                known = len(met)
                met.update(own)
                unlike += max(1, (len(met) - known) / NAMES_A_CHANGE) if known else 0
        except Exception:  # noqa: BLE001 - names are the application's, and may do anything
            unlike += 1
        names = own


class Gathering:
    """Rows that wait, by their layout, each in the order in which it came. Not locked: its owner is."""

    def __init__(self, batch_rows: int) -> None:
        self._batch_rows = batch_rows
        self._queues: dict[Layout, _Queue] = {}
        self._full: deque[Layout] = deque()

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._queues)

    @property
    def has_batch(self) -> bool:
        """Whether there are rows for a whole batch."""
        return bool(self._full)

    @property
    def since_s(self) -> float | None:
        """Since when the layout whose turn it is has rows; None without any.

        What a batch left has its turn last, so that it waits two lingers at most.
        """
        queue = next(iter(self._queues.values()), None)
        return None if queue is None else queue.waiting[0].since_s

    def add(self, packed: Packed, now_s: float) -> int:
        """Rows have come; give the bytes that they take, with those of their names where no others have the same."""
        queue, size_bytes = self._queues.get(packed.layout), packed.size_bytes
        if queue is None:
            queue = _Queue(rows_of_width(packed.layout.width, self._batch_rows), packed.names_bytes)
            self._queues[packed.layout] = queue
            size_bytes += queue.names_bytes
        had_batch = queue.has_batch
        queue.waiting.append(_Waiting(packed, now_s))
        queue.rows += packed.rows
        queue.text_bytes += packed.rows * packed.row_text_bytes
        if queue.has_batch and not had_batch:
            self._full.append(packed.layout)
        return size_bytes

    def take(self, until_s: float) -> Taken | None:
        """Take the rows of a whole batch, or of a smaller one that has waited since before a time; None for neither."""
        if self._full:
            return self._take(self._full.popleft())
        since_s = self.since_s
        return None if since_s is None or since_s > until_s else self._take(next(iter(self._queues)))

    def _take(self, layout: Layout) -> Taken:
        queue = self._queues.pop(layout)
        taken, left_rows, left_bytes = Taken(), queue.batch_rows, BATCH_BYTES
        while left_rows > 0 and left_bytes > 0 and queue.waiting:
            first = queue.waiting[0]
            opened = first.opened or first.packed.opened()
            row_bytes = first.packed.row_text_bytes
            rows = min(opened.rows - first.start, left_rows, -(-left_bytes // max(1, row_bytes)))
            stop = first.start + rows
            taken.parts.append(opened.part(first.start, stop))
            left_rows -= rows
            left_bytes -= rows * row_bytes
            queue.rows -= rows
            queue.text_bytes -= rows * row_bytes
            if stop < opened.rows:
                first.start, first.opened = stop, opened
                break
            queue.waiting.popleft()
            taken.done_bytes += first.packed.size_bytes
            taken.loose_bytes += first.packed.loose_bytes
        if queue.rows:
            self._queues[layout] = queue
        else:
            taken.done_bytes += queue.names_bytes
        if queue.has_batch:
            self._full.append(layout)
        return taken
