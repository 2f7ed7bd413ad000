"""Passwords of an installation to try things in: made once, each in the folder of whoever needs it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

OWNERS: Final = {"clickhouse": ("clickhouse.password",), "grafana": ("clickhouse.password", "admin.password")}
"""Folder -> files in it; files of one name hold one password."""
BYTES: Final = 24
READABLE: Final = 0o444
"""Of the files: who reads them runs as another user, and a folder is mounted for its owner alone."""


def make_passwords(folder: Path) -> list[Path]:
    """Write the passwords that are not there yet, and give their files.

    Args:
        folder: a folder for each of OWNERS is made below it.
    """
    made, known = [], {}
    for owner, names in OWNERS.items():
        (folder / owner).mkdir(exist_ok=True)
        for name in names:
            path = folder / owner / name
            if path.exists():
                known[name] = path.read_text()
    for owner, names in OWNERS.items():
        for name in names:
            path = folder / owner / name
            if not path.exists():
                text = known.setdefault(name, secrets.token_urlsafe(BYTES))
                path.touch(0o600)
                path.write_text(text)
                path.chmod(READABLE)
                made.append(path)
    return made
