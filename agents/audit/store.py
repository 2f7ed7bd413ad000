"""Store of a witness: the checkpoint that it signed last, in a folder that one process holds at a time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from driftline.agents.atomic import write_atomically
from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.errors import NoteError, WitnessError
from driftline.agents.audit.notes import MAX_NOTE_BYTES, Note
from driftline.agents.lone import hold

if TYPE_CHECKING:
    from pathlib import Path

LAST: Final = "last.note"
_LOCK: Final = "lock"
_FOLDER_MODE: Final = 0o700


class Store:
    """A folder of its own; made when it is missing.

    Args:
        folder: where.

    Raises:
        WitnessError: it cannot be used, or another process holds it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            lock = hold(folder / _LOCK)
        except OSError as error:
            raise WitnessError(f"the store {folder} cannot be used: {error.strerror}") from error
        if lock is None:
            raise WitnessError(
                f"the store {folder} is held by another witness; stop it, or name another store"
            )
        self._lock = lock

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._lock)

    def last(self) -> Note | None:
        """Give the checkpoint that was signed last; None when there was none.

        Raises:
            WitnessError: it cannot be read: a witness that forgot what it signed is none.
        """
        path = self.folder / LAST
        try:
            with path.open("rb") as file:
                note = Note.parse(file.read(MAX_NOTE_BYTES + 1))
            Checkpoint.of(note)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise WitnessError(f"{path} cannot be read: {error.strerror}") from error
        except NoteError as error:
            raise WitnessError(f"{path} is no checkpoint ({error}): bring it back from a copy") from error
        return note

    def keep(self, note: Note) -> None:
        """Write down what is signed, before anybody sees it; raises WitnessError when that cannot be done."""
        self._write(LAST, note.to_bytes())

    def keep_evidence(self, note: Note) -> Path:
        """Write down a checkpoint that was not signed, for whoever looks into it; give where."""
        name = f"refused-{Checkpoint.of(note).size}.note"
        self._write(name, note.to_bytes())
        return self.folder / name

    def _write(self, name: str, data: bytes) -> None:
        try:
            write_atomically(self.folder / name, data)
        except OSError as error:
            raise WitnessError(f"{self.folder / name} cannot be written: {error.strerror}") from error
