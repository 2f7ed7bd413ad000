"""Folders that are of one user alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

MODE: Final = 0o700
OTHERS: Final = 0o077
"""What a mode grants to others than the owner."""


def make_private(folder: Path) -> bool:
    """Make a folder unless it is there; whether it is one, of this user, that nobody else can reach. Raises OSError."""
    folder.mkdir(mode=MODE, parents=True, exist_ok=True)
    found = folder.stat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & OTHERS
