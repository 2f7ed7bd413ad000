"""Files that only their owner may read."""

from __future__ import annotations

from pathlib import Path

MODE = 0o600


def write_private(path: Path, text: str) -> None:
    """Write a file that holds a password, or the digest of one; it is private before anything is in it."""
    path.touch(mode=MODE)
    path.chmod(MODE)
    path.write_text(text)
