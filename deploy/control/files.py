"""Files that commands name by their digests."""

from __future__ import annotations

import hashlib
from pathlib import Path

from driftline.deploy.control.errors import AskingError


def file_digest(path: Path) -> str:
    """sha256 of a file, in lower-case hex; raises AskingError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AskingError(f"{path} cannot be read: {error.strerror}") from error


def text_of(path: Path, most: int) -> str:
    """A file of text of at most so many bytes; raises AskingError when it cannot be read or is longer."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
        text = data.decode()
    except OSError as error:
        raise AskingError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise AskingError(f"{path} is no text in UTF-8") from error
    if len(data) > most:
        raise AskingError(f"{path} has more than {most:,} bytes, which is the most")
    return text
