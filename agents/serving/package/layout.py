"""Layout: how the files of a package are named."""

from __future__ import annotations

import re
from typing import Annotated, Final

import msgspec

MAX_FILES: Final = 64
MAX_PATH_CHARS: Final = 200
FILE: Final = "manifest.json"
"""The file of a package that holds the envelope; the manifest itself does not list it."""

_PATH: Final = r"\A[A-Za-z0-9_][A-Za-z0-9._+=@-]*(/[A-Za-z0-9_][A-Za-z0-9._+=@-]*){0,3}\Z"
Path = Annotated[str, msgspec.Meta(pattern=_PATH, max_length=MAX_PATH_CHARS)]
"""Of a file within the package: at most four plain names, so neither absolute nor with `..`."""


def is_plain_path(path: str) -> bool:
    """Say whether a package may list a file of this path."""
    return len(path) <= MAX_PATH_CHARS and re.fullmatch(_PATH, path) is not None
