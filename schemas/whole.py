"""Read a file of modest size whole, whatever lies under its name: a pipe without a writer, a device without an end."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT_BYTES: Final = 16 << 20
"""The most that a text which people write may have."""
_CHUNK_BYTES: Final = 1 << 20


def read_whole(
    path: Path, most_bytes: int = TEXT_BYTES, check: Callable[[os.stat_result], None] | None = None
) -> bytes:
    """The bytes of a file, or of a pipe that somebody writes into.

    Args:
        path: of the file.
        most_bytes: it may have.
        check: looks at what was opened, before it is read; what it raises is raised.

    Raises:
        OSError: it cannot be read, has more bytes, or is a pipe that nobody writes into; `strerror` says which.

    """
    # A pipe would be waited for as it is opened: for ever, when nobody has it open for writing.
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(number, "rb", buffering=0) as file:
        if check is not None:
            check(os.fstat(number))
        data = file.read(_CHUNK_BYTES)
        if data == b"" and stat.S_ISFIFO(os.fstat(number).st_mode):
            raise OSError(errno.EPIPE, "it is a pipe that nobody writes into", str(path))
        # Nothing yet is None: a writer is there, and will be waited for.
        found = bytearray(data or b"")
        os.set_blocking(number, True)
        while data != b"" and len(found) <= most_bytes:
            data = file.read(_CHUNK_BYTES)
            found += data
    if len(found) > most_bytes:
        raise OSError(errno.EFBIG, f"it has more than {most_bytes:,} bytes", str(path))
    return bytes(found)
