"""Bound the log files: copy a full one aside and empty it in place, for its writer keeps it open."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

GREATEST_BYTES = 16 * 1024**2
KEPT_FILES = 3


def rotate(log: Path, greatest_bytes: int = GREATEST_BYTES, kept: int = KEPT_FILES) -> bool:
    """Move the content of a log that is too large to `log.1`, and older ones on; say whether it was too large.

    Writers append (O_APPEND), so after the file is emptied they go on at its start. What is written between
    the copy and the emptying, some milliseconds of log, is lost.
    """
    try:
        if log.stat().st_size <= greatest_bytes:
            return False
    except FileNotFoundError:
        return False
    for number in range(kept - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    shutil.copyfile(log, log.with_name(f"{log.name}.1"))
    os.truncate(log, 0)
    return True
