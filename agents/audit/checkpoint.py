"""Checkpoint: how large the tree was, and its root, as a note that the log signs and witnesses sign below it.

Source: https://c2sp.org/tlog-checkpoint. A checkpoint of this log has exactly three lines.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from driftline.agents.audit.errors import NoteError
from driftline.agents.audit.notes import PLAIN, TIMED, Note, NoteKey, cosign, sign, time_of
from driftline.agents.audit.tree import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.agents.control.keys import Key

_SIZE: Final = re.compile(r"[1-9][0-9]{0,17}")
_ROOT: Final = re.compile(r"[A-Za-z0-9+/]{43}=")
_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head.

    Attributes:
        origin: the name of the log.
        size: records in the tree; of a note, 1 to 10^18−1.
        root: its hash, 32 bytes.
    """

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def of(cls, note: Note) -> Checkpoint:
        """Read the text of a note.

        Raises:
            NoteError: it is no checkpoint.
        """
        origin, *rest = note.text.split("\n")
        if len(rest) != _LINES or not origin or not _SIZE.fullmatch(rest[0]) or not _ROOT.fullmatch(rest[1]):
            raise NoteError(
                "this note is no checkpoint: an origin, a size and the root in base64, a line each"
            )
        size, root = int(rest[0]), base64.b64decode(rest[1])
        if len(root) != HASH_BYTES or base64.b64encode(root).decode() != rest[1]:
            raise NoteError(f"this note is no checkpoint: {rest[0]} records with the root {rest[1]!r}")
        return cls(origin, size, root)

    def signed(self, name: str, key: Key) -> Note:
        """Give the note that a log of this name signs."""
        return Note(self.text, (sign(self.text, name, key.public, key),))


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint whose log signature holds.

    Attributes:
        checkpoint: what it says.
        note: as it was read.
        witnesses: names of the known witnesses whose signatures hold, and when they signed, s since 1970.
    """

    checkpoint: Checkpoint
    note: Note
    witnesses: tuple[tuple[str, int], ...]


def size_of(data: bytes) -> int | None:
    """How many records a message of the topic of checkpoints says that there were; None when it is no checkpoint."""
    try:
        return Checkpoint.of(Note.parse(data)).size
    except NoteError:
        return None


def seen(note: Note, logs: Iterable[NoteKey], witnesses: Iterable[NoteKey]) -> Seen | None:
    """Believe a checkpoint as far as its signatures go; None when no key of the log signed it.

    Raises:
        NoteError: it is no checkpoint.
    """
    checkpoint = Checkpoint.of(note)
    if not any(key.kind == PLAIN and note.signed_by(key) for key in logs):
        return None
    held = ((key.name, note.signed_by(key)) for key in witnesses if key.kind == TIMED)
    return Seen(checkpoint, note, tuple((name, time_of(one)) for name, one in held if one is not None))


def cosigned(note: Note, name: str, key: Key, at_s: int) -> Note:
    """Give a checkpoint's note with the signature of a witness; see that it is consistent first."""
    return note.with_signatures(cosign(note.text, name, key.public, key, at_s))
