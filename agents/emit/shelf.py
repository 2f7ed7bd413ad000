"""Memory of the emitter's own for what may wait long: mapped blocks, which go back to the system as they empty.

The allocator of the process keeps what was freed below anything that still lives. A backlog of columns that became a
backlog of sealed batches would so be held twice, past any cap.
"""

from __future__ import annotations

import mmap
import threading
from typing import Final

BLOCK_BYTES: Final = 1 << 20
# What is more than this part of a block has a mapping of its own: so little of a block stays empty.
_OWN_PART: Final = 16
_ALIGNED: Final = 64
_FLAGS: Final = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


class Shelf:
    """Lays bytes end to end in blocks of `block_bytes`; a block goes with the last thing in it that anybody holds.

    What is laid in one order and let go in the same keeps at most one block that is partly empty. Threads may share a
    shelf. When the system maps no more memory they lie in the process's own.
    """

    def __init__(self, block_bytes: int = BLOCK_BYTES) -> None:
        self._block_bytes = block_bytes
        self._lock = threading.Lock()
        self._block: memoryview | None = None
        self._at = 0

    def bytes_like(self, data: bytes | memoryview) -> memoryview:
        """Copy some bytes; gives a view of the copy that cannot be written to."""
        place = self.place(len(data))
        place[:] = data
        return place.toreadonly()

    def place(self, size_bytes: int) -> memoryview:
        """Give room for so many bytes, which are zero; it begins where numbers of any type may."""
        if size_bytes > self._block_bytes // _OWN_PART:
            return _mapped(size_bytes)
        with self._lock:
            if self._block is None or self._at + size_bytes > self._block_bytes:
                self._block, self._at = _mapped(self._block_bytes), 0
            start = self._at
            self._at += -(-size_bytes // _ALIGNED) * _ALIGNED
            return self._block[start : start + size_bytes]


def _mapped(size_bytes: int) -> memoryview:
    # Private: a forked child changes nothing here. The mapping ends with the last view of it.
    try:
        return memoryview(mmap.mmap(-1, max(1, size_bytes), flags=_FLAGS))[:size_bytes]
    except OSError:
        return memoryview(bytearray(size_bytes))
