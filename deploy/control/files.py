"""Files that commands name by their digests."""

from __future__ import annotations

import hashlib
from pathlib import Path

from driftline.deploy.control.errors import AskingError
from driftline.schemas.whole import read_whole


def file_digest(path: Path) -> str:
    """sha256 of a file, in lower-case hex; raises AskingError when it cannot be read."""
    try:
        if not path.is_file():
            path.stat()  # which says why there is none
            raise AskingError(f"{path} is no regular file: name one")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AskingError(f"{path} cannot be read: {error.strerror}") from error


def text_of(path: Path, most: int) -> str:
    """A file of text of at most so many bytes; raises AskingError when it cannot be read or is longer."""
    try:
        return read_whole(path, most).decode()
    except OSError as error:
        raise AskingError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise AskingError(f"{path} is no text in UTF-8") from error
