"""Witness: whoever reads the whole log for himself and signs how large it was; it never signs two histories.

Pure: records and notes in, notes to publish out. `following` is the process around it.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

from driftline.agents.audit.chain import Chain
from driftline.agents.audit.checkpoint import Checkpoint, cosigned
from driftline.agents.audit.errors import AuditError, NoteError, WitnessError
from driftline.agents.audit.notes import Note
from driftline.agents.audit.tree import Frontier, leaf_hash

if TYPE_CHECKING:
    from driftline.agents.control.keys import Key
    from driftline.schemas.control.envelope import Digest

WINDOW: Final = 65_536
"""A checkpoint may lie so many records behind the last one that was read."""
MOST_AHEAD: Final = 1_024
"""Checkpoints that the log signed and whose records are not read yet; more are passed over."""
MOST_UNKNOWN: Final = 64
"""Notes by keys that are not known yet: a change of trust may be among the next records."""


class Witness:
    """Follows a log from record 0 on.

    Args:
        genesis: the pinned digest of record 0.
        name: of the witness, as the trust names it.
        key: its key.
        last: the checkpoint that it signed last, from its store.
    """

    def __init__(self, genesis: Digest, name: str, key: Key, last: Note | None) -> None:
        self.name, self._key = name, key
        self._chain = Chain(genesis)
        self._signed = None if last is None else Checkpoint.of(last)
        self._base, self._leaves = Frontier(), deque[bytes]()
        self._ahead: dict[bytes, Note] = {}
        self._unknown: deque[Note] = deque(maxlen=MOST_UNKNOWN)
        self._agreed: Note | None = None

    @property
    def size(self) -> int:
        """How many records it has read."""
        return self._chain.size

    def record(self, data: bytes) -> None:
        """Take the next record of the log.

        Raises:
            WitnessError: it does not follow, or the log is not the one that was signed.
        """
        at = self._chain.size
        try:
            self._chain.take(data)
        except AuditError as error:
            raise WitnessError(
                f"record {at} is not signed for: {error}; run 'driftline audit verify'"
            ) from error
        self._leaves.append(leaf_hash(data))
        if len(self._leaves) > WINDOW:
            self._base.push(self._leaves.popleft())
        signed, size = self._signed, self._chain.size
        if signed is not None and signed.size == size and signed.root != self._chain.tree.root():
            raise WitnessError(
                f"the first {size} records are not those that this witness signed; run 'driftline audit verify'"
            )

    def ended(self) -> None:
        """Take it that there is no further record now; raises WitnessError when there once was."""
        if self._signed is not None and self._chain.size < self._signed.size:
            raise WitnessError(
                f"the log has {self._chain.size} records, and this witness signed {self._signed.size}: records are "
                "gone; run 'driftline audit verify'"
            )

    def note(self, data: bytes) -> None:
        """Take a message of the topic of checkpoints; what is no checkpoint is passed over."""
        try:
            note = Note.parse(data)
            Checkpoint.of(note)
        except NoteError:
            return
        bare = self._bare(note)
        if bare is None:
            self._unknown.append(note)
        else:
            self._look_at(bare)

    def compare(self) -> Note | None:
        """Hold the checkpoints that came against the records that were read.

        Returns:
            One that the log signed and that its records contradict; None when there is none.
        """
        unknown, self._unknown = self._unknown, deque(maxlen=MOST_UNKNOWN)
        for one in unknown:
            self.note(one.to_bytes())
        notes, self._ahead = self._ahead, {}
        tree, leaves = self._base.copy(), iter(self._leaves)
        for note in sorted(notes.values(), key=_size):
            found = Checkpoint.of(note)
            if found.size > self._chain.size:
                self._look_at(note)
            elif self._bare(note) is None:
                continue  # whoever signed it was the log's key then, and is none any more
            elif found.size >= self._base.size:
                for leaf in islice(leaves, found.size - tree.size):
                    tree.push(leaf)
                if found.root != tree.root():
                    return note
                if found.size > max(_size(self._signed), _size(self._agreed)):
                    self._agreed = note
        return None

    def sign(self, now_s: int) -> Note | None:
        """Sign the largest checkpoint that agreed with the records; None when there is no new one.

        Args:
            now_s: s since 1970.

        Raises:
            WitnessError: the trust of this installation names no such witness.
        """
        if self._agreed is None:
            return None
        believed = self._chain.believed
        if not any((one.name, one.public) == (self.name, self._key.public) for one in believed.witnesses):
            raise WitnessError(
                f"the trust of this installation names no witness {self.name!r} with the key {self._key.keyid[:16]}: "
                "a trust-set adds one"
            )
        note = cosigned(self._agreed, self.name, self._key, now_s)
        self._signed, self._agreed = Checkpoint.of(note), None
        return note

    def _look_at(self, bare: Note) -> None:
        """Keep a checkpoint of the log until its records are read; the same one that comes again is the same."""
        self._ahead[bare.to_bytes()] = bare
        if len(self._ahead) > MOST_AHEAD:
            del self._ahead[next(iter(self._ahead))]

    def _bare(self, note: Note) -> Note | None:
        """The note with the signatures of the log alone: nobody signs what others put below it; None without any."""
        if not self._chain.has_begun:
            return None
        believed = self._chain.believed
        held = tuple(one for key in believed.logs if (one := note.signed_by(key)) is not None)
        if not held or Checkpoint.of(note).origin != believed.state.trust.origin:
            return None
        return Note(note.text, held)


def _size(signed: Checkpoint | Note | None) -> int:
    if isinstance(signed, Note):
        signed = Checkpoint.of(signed)
    return 0 if signed is None else signed.size
