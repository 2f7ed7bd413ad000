"""Memory: what a process believes, on disk, in a folder of its own; written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from driftline.agents.serving.belief import Kept
from driftline.agents.serving.errors import ServingError

FILE: Final = "believed.json"


def kept_in(folder: Path) -> Kept | None:
    """Read what was kept; None when nothing was.

    Raises:
        ServingError: it cannot be read; nobody guesses what should serve.
    """
    path = folder / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ServingError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ServingError(
            f"{path} is damaged ({error}): take it away, and the agent asks Kafka again"
        ) from error


def keep(folder: Path, kept: Kept) -> None:
    """Write what is believed; after a power cut it is whole, old or new.

    Raises:
        ServingError: it cannot be written.
    """
    path = folder / FILE
    name = ""
    try:
        number, name = tempfile.mkstemp(prefix=f".{FILE}.", dir=folder)
        with os.fdopen(number, "wb") as file:
            file.write(msgspec.json.encode(kept))
            file.flush()
            os.fsync(number)
        Path(name).replace(path)
    except OSError as error:
        with suppress(OSError):
            Path(name).unlink()
        raise ServingError(f"{path} cannot be written: {error.strerror}") from error
