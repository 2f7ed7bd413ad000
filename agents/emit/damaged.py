"""Segments whose beginning nobody can read: set aside for whoever wants to look, the last few of them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from driftline.agents.emit.owner import LIFE

SUFFIX: Final = ".damaged"
# Each is as large as a segment at most: together half of what the spool may hold.
KEPT: Final = 4


def set_aside(path: Path, spool_dir: Path) -> Path:
    """Move a file out of its life's folder, so that the folder can go, and return where it lies now.

    Past `KEPT` such files the oldest are removed. Raises OSError when the file cannot be moved.
    """
    aside = path.rename(spool_dir / f"{path.parent.name}-{path.name}{SUFFIX}")
    # Names begin with the time at which a life began; what was found just now stays, however old.
    own = [one for one in spool_dir.glob(f"*{SUFFIX}") if LIFE.match(one.name)]
    found = sorted(own, key=lambda one: (one == aside, one.name))
    for old in found[:-KEPT]:
        with suppress(OSError):
            old.unlink()
    return aside
