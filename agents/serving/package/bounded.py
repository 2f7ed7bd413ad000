"""Bounded: what a child does before it loads a model that may break: it is alone, and takes no more than it may."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from driftline.agents.serving.package.manifest import Format

_PR_SET_PDEATHSIG: Final = 1
_M_ARENA_MAX: Final = -8
# What libraries say when they get no memory, beside MemoryError.
_NO_MEMORY: Final = (
    "bad_alloc",
    "bad allocation",
    "allocate memory",
    "out of memory",
    "alloc_failed",
    "unable to allocate",
)


def alone(parent: int) -> int:
    """Give a descriptor of what stdout was, once nothing else reads or writes what the parent reads.

    The process ends with the parent of that pid, in whatever way that ends, and at once if it is gone.
    """
    out = os.dup(sys.stdout.fileno())
    # What a model prints is nobody's line.
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (sys.stdin.fileno(), sys.stdout.fileno()):
        os.dup2(nothing, number)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    # The first to go when the machine runs out of memory: another process serves.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    return out


def import_libraries(kind: Format) -> None:
    """Import what a format needs before memory is bounded and measured: it is the libraries', not the model's."""
    if kind == "onnx":
        import onnxruntime as library  # noqa: PLC0415
    elif kind == "skops":
        import sklearn.base  # noqa: F401, PLC0415
        from skops import io as library  # noqa: PLC0415
    else:
        import safetensors.numpy as library  # noqa: PLC0415
    del library


def bound(memory_bytes: int, written_bytes: int) -> None:
    """Let the process take so much more address space, and write files of so many bytes at most.

    Address space is what can be bounded without a control group; it grows faster than memory, so each thread's arena
    is taken away first.
    """
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
    most = pages()[0] + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (written_bytes, written_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def pages() -> tuple[int, int]:
    """Bytes of address space and of memory that the process has."""
    size, resident = Path("/proc/self/statm").read_text(encoding="ascii").split()[:2]
    page = resource.getpagesize()
    return int(size) * page, int(resident) * page


def is_of_memory(text: str) -> bool:
    """Whether a library says so that it got no memory."""
    return any(word in text.lower() for word in _NO_MEMORY)
