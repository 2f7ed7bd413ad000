"""Who owns a spool directory: the process that holds the flock of its `lock` file; after its death, nobody."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

LOCK: Final = "lock"
SUFFIX: Final = ".seg"
# What `own` calls its directories: others in the spool directory are somebody else's.
LIFE: Final = re.compile(r"[0-9a-f]{16}-\d+-\d+")


class OwnedFolder:
    """One life's directory below the spool directory, locked while the object is open.

    flock belongs to the open file, which a forked child shares: a child calls `forget`, which closes its copy and
    leaves the parent's lock in force, and never unlocks.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    def segments(self) -> list[Path]:
        """The segments in the order of writing."""
        return sorted(self.path.glob(f"*{SUFFIX}"))

    def remove(self) -> None:
        """Remove the directory if no segment is left in it, and let go of the lock."""
        if not self.segments():
            # The lock file goes first: whoever opened it meanwhile finds another inode, or none, and tries again.
            with suppress(OSError):
                (self.path / LOCK).unlink()
                self.path.rmdir()
        self.forget()

    def forget(self) -> None:
        """Close the lock file."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def own(spool_dir: Path, epoch: int) -> OwnedFolder:
    """Make and lock a directory that nobody had before; raises OSError."""
    number = 0
    while True:
        path = spool_dir / f"{epoch:016x}-{os.getpid()}-{number}"
        number += 1
        try:
            path.mkdir()
        except FileExistsError:
            continue
        folder = lock(path)
        if folder is not None:
            return folder


def lock(path: Path) -> OwnedFolder | None:
    """Lock an existing directory; None when another process has it, or removed it."""
    try:
        file = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file).st_ino == (path / LOCK).stat().st_ino:
            return OwnedFolder(path, file)
    except OSError as error:
        if error.errno not in {errno.EWOULDBLOCK, errno.EACCES, errno.ENOENT}:
            os.close(file)
            raise
    os.close(file)
    return None


def ownerless(spool_dir: Path) -> list[OwnedFolder]:
    """Lock every directory of a life whose owner is gone, the oldest first; what is no life's is not touched."""
    lives = [path for path in sorted(spool_dir.iterdir()) if LIFE.fullmatch(path.name) and path.is_dir()]
    found = [lock(path) for path in lives]
    return [folder for folder in found if folder is not None]


def has_leftovers(spool_dir: Path) -> bool:
    """Whether a life that has ended left something here; what another process is taking over counts as taken."""
    try:
        found = ownerless(spool_dir)
    except OSError:
        return False
    for folder in found:
        folder.forget()
    return bool(found)
