"""glibc's allocator, told to keep the large blocks that a consumer asks for again and again.

By default blocks over 128 KB are mapped and unmapped one by one: each fetch of some megabytes pays a page fault for
every 4 KB, several times over (received, joined, decompressed). Measured on a drift worker: 8 % of its CPU.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Final

# <malloc.h>
M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8

# <bits/mman-linux.h>
MADV_DONTNEED: Final = 4

KEPT_BYTES: Final = 16 << 20
"""Free memory at the top of the heap that is not given back."""

LARGEST_BYTES: Final = 32 << 20
"""glibc takes no greater threshold for mapping (DEFAULT_MMAP_THRESHOLD_MAX)."""


def keep_large_blocks() -> bool:
    """Tell the allocator; False where it is not glibc's, and nothing changes."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # One heap for all threads, which take turns anyway: what one of them frees another can use.
    mallopt(M_ARENA_MAX, 1)
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_BYTES)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))


def give_back() -> bool:
    """Return what lies free between used blocks to the system, some ms of work; False where it is not glibc's.

    Checkpoints and fetches leave holes: without this a worker of 200 deployments keeps 200 MB of them.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and bool(trim(0))


def let_go_of_code(library: str = "") -> int:
    """Take the code and constants of libraries out of memory and return their bytes; what is used again is read again.

    Most of what a start touches is not needed after it: LLVM alone takes 68 MB to load the kernel and none to run it.
    Only mappings of files that cannot be written, and of which no page was changed as the library was loaded, are let
    go: what comes back from the file is what was there.

    Args:
        library: how the names of the files begin; nothing for all.
    """
    madvise = getattr(ctypes.CDLL(None), "madvise", None)
    maps = Path("/proc/self/smaps")
    if madvise is None or not maps.exists():
        return 0
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    gone = 0
    span = ""
    for line in maps.read_text().splitlines():
        # A mapping's line, `start-end access offset device inode file`, and then what is known of it, `Name: value`.
        first, *rest = line.split()
        if not first.endswith(":"):
            file = Path(rest[-1])
            is_plain = rest[0] in ("r-xp", "r--p") and file.is_absolute() and file.name.startswith(library)
            span = first if is_plain else ""
        elif span and first == "Anonymous:" and rest[0] == "0":
            start, end = (int(one, 16) for one in span.split("-"))
            gone += 0 if madvise(start, end - start, MADV_DONTNEED) else end - start
    return gone
