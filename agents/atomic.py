"""Write a file so that a reader sees the old bytes or the new ones, never half of them, and only its owner reads it.

What was written is there after a power cut: the file's bytes are on disk, and its name in the folder.
"""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

_MODE: Final = 0o600
_CANNOT: Final = (errno.EACCES, errno.EINVAL, errno.ENOTSUP)


def write_atomically(path: Path, content: bytes, *, by_way_of: Path | None = None) -> None:
    """Replace the content of a file, which has the mode 0600; a power cut on the way leaves it whole, old or new.

    Args:
        path: of the file.
        content: the new one.
        by_way_of: a folder of the same disk in which it is written first; None for that of the file.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=by_way_of or path.parent)
    temporary = Path(name)
    try:
        _fill(handle, content)
        temporary.replace(path)
        _keep_names(path.parent)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def write_new(path: Path, content: bytes, *, mode: int | None = _MODE) -> None:
    """Write a file that is not there yet, whole or not at all.

    Args:
        path: of the file.
        content: of it.
        mode: of the file; None for what the process gives its files.

    Raises:
        FileExistsError: it is there already, and stays as it is.
        OSError: it cannot be written.
    """
    number = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666 if mode is None else mode
    )
    try:
        _fill(number, content, mode)
        _keep_names(path.parent)
    except BaseException:
        with suppress(FileNotFoundError):
            path.unlink()
        raise


def _fill(number: int, content: bytes, mode: int | None = None) -> None:
    """Write an open file, so that it is on disk, and close it; `mode` is what it is to have, None for what it has."""
    with os.fdopen(number, "wb") as file:
        if mode is not None:
            os.fchmod(number, mode)
        file.write(content)
        file.flush()
        os.fsync(number)


def _keep_names(folder: Path) -> None:
    """Let the names in a folder outlast a power cut, where its file system and its mode let anybody see to that."""
    try:
        number = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(number)
        finally:
            os.close(number)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
