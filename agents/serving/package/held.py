"""Held: a package in a cache that nobody throws out, as long as a lock of its folder is kept."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

    from driftline.agents.serving.package.signed import Signed


class Held:
    """A package that stays where it is until it is let go.

    Attributes:
        folder: its files; read them, write nothing.
        signed: its manifest.
    """

    __slots__ = ("_lock", "folder", "signed")

    def __init__(self, folder: Path, signed: Signed, lock: int) -> None:
        self.folder, self.signed = folder, signed
        self._lock: int | None = lock

    def release(self) -> None:
        """Let it go: it may be thrown out from now on. A second time does nothing."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def is_still(lock: int, folder: Path) -> bool:
    """Say whether a folder that was opened is still the one of that name."""
    try:
        there = folder.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(lock), there)
