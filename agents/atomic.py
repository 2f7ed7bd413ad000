"""Write a file so that a reader sees the old bytes or the new ones, never half of them, and only its owner reads it."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, by_way_of: Path | None = None) -> None:
    """Replace the content of a file, which has the mode 0600; after a power cut it is whole, old or new.

    Args:
        path: of the file.
        content: the new one.
        by_way_of: a folder of the same disk in which it is written first; None for that of the file.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=by_way_of or path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
