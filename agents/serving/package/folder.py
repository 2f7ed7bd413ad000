"""The files of a package as they lie in a folder: opened without following a link, walked within bounds, hashed."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

from driftline.agents.serving.package.errors import BrokenPackageError
from driftline.agents.serving.package.layout import FILE, MAX_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_ENTRIES: Final = 4 * MAX_FILES
MAX_DEPTH: Final = 4
CHUNK_BYTES: Final = 1 << 20


def listed(folder: Path) -> dict[str, int]:
    """Give what lies in a package's folder: path within it -> size, without the manifest's own file.

    Raises:
        BrokenPackageError: it holds a link, a device or the like, or far more than a package may; or cannot be read.
    """
    found: dict[str, int] = {}
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise BrokenPackageError(f"{folder} is no folder (a link is none either)")
        for path, info in _walked(folder, "", 1):
            if path != FILE:
                found[path] = info.st_size
    except OSError as error:
        raise BrokenPackageError(f"the package {folder} cannot be read: {error.strerror}") from error
    return found


def _walked(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            count += 1
            if count > MAX_ENTRIES:
                raise BrokenPackageError(
                    f"{folder} holds more than {MAX_ENTRIES} files, and {MAX_FILES} may be listed"
                )
            path = prefix + entry.name
            info = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(info.st_mode):
                if depth >= MAX_DEPTH:
                    raise BrokenPackageError(f"{shown(path)} lies deeper than {MAX_DEPTH} folders")
                yield from _walked(folder / entry.name, path + "/", depth + 1)
            elif stat.S_ISREG(info.st_mode):
                yield path, info
            else:
                kind = "a symbolic link" if stat.S_ISLNK(info.st_mode) else "no regular file"
                raise BrokenPackageError(f"{shown(path)} is {kind}: a package holds regular files alone")
    if prefix and not count:
        raise BrokenPackageError(f"{shown(prefix)} is an empty folder: a package holds regular files alone")


@contextmanager
def opened(folder: Path, path: str) -> Iterator[IO[bytes]]:
    """Open a regular file below a folder; no name on the way may be a link.

    Raises:
        BrokenPackageError: it is lacking, a link or no regular file, or cannot be read.
    """
    *above, name = path.split("/")
    number = -1
    try:
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in above:
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
                os.close(at)
                at = below
            # Without O_NONBLOCK a pipe of that name would hold us up for ever.
            number = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
        finally:
            os.close(at)
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise BrokenPackageError(f"{shown(path)} is no regular file")
    except FileNotFoundError:
        if folder.is_dir():
            raise BrokenPackageError(f"{shown(path)} is lacking in {folder}") from None
        raise BrokenPackageError(f"there is no folder {shown(str(folder))}") from None
    except OSError as error:
        raise BrokenPackageError(f"{shown(path)} cannot be opened: {error.strerror}") from error
    with os.fdopen(number, "rb") as file:
        yield file


def read(folder: Path, path: str, most: int) -> bytes:
    """Read a whole file of at most so many bytes; raises BrokenPackageError as `opened`, and for a larger one."""
    with opened(folder, path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise BrokenPackageError(f"{shown(path)} is larger than the {most:,} bytes that it may have")
    return data


def measured(file: IO[bytes]) -> tuple[int, str]:
    """Give the size and the sha256 of a file that is at its start."""
    state, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK_BYTES):
        state.update(chunk)
        size += len(chunk)
    return size, state.hexdigest()


def shown(path: str) -> str:
    """A path for a sentence: quoted, and not too long."""
    return repr(path[:200])
