"""Proof file: that one record lies in the log, in a text that holds all it needs but the keys.

Source: https://c2sp.org/tlog-proof; `extra` is the record itself.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from driftline.agents.audit.checkpoint import Checkpoint, Seen, seen
from driftline.agents.audit.errors import AuditError, NoteError
from driftline.agents.audit.notes import MAX_NOTE_BYTES, Note
from driftline.agents.audit.proofs import MAX_HASHES, inclusion_spans, is_included, proof_of
from driftline.agents.audit.record import MAX_RECORD_BYTES, Link
from driftline.agents.audit.tree import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.agents.audit.notes import NoteKey

HEAD: Final = "c2sp.org/tlog-proof@v1"
MAX_FILE_BYTES: Final = 2 * MAX_RECORD_BYTES + MAX_NOTE_BYTES
_FORM: Final = re.compile(
    re.escape(HEAD)
    + r"\nextra ([A-Za-z0-9+/=]+)\nindex (0|[1-9][0-9]{0,18})\n((?:[A-Za-z0-9+/]{43}=\n)*)\n(.*)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Proof:
    """One record, its place, the hashes beside its way to the root, and a checkpoint with that root.

    Attributes:
        record: its bytes.
        seq: its number.
        hashes: as RFC 6962 orders them.
        note: the checkpoint.
    """

    record: bytes
    seq: int
    hashes: tuple[bytes, ...]
    note: Note

    def to_bytes(self) -> bytes:
        """Give the text of it."""
        lines = [
            HEAD,
            f"extra {base64.b64encode(self.record).decode()}",
            f"index {self.seq}",
            *(base64.b64encode(one).decode() for one in self.hashes),
            "",
        ]
        return "\n".join(lines).encode() + b"\n" + self.note.to_bytes()

    @classmethod
    def parse(cls, data: bytes) -> Proof:
        """Read the text of a proof.

        Raises:
            AuditError: it is none.
        """
        try:
            found = _FORM.fullmatch(data.decode()) if len(data) <= MAX_FILE_BYTES else None
            lines = found[3].split() if found else []
            if found is None or len(lines) > MAX_HASHES:
                raise AuditError("this is no proof of a record: 'driftline audit prove' writes one")
            hashes = tuple(base64.b64decode(line, validate=True) for line in lines)
            record = base64.b64decode(found[1], validate=True)
            return cls(record, int(found[2]), hashes, Note.parse(found[4].encode()))
        except (ValueError, NoteError) as error:
            raise AuditError(f"this is no proof of a record: {error}") from error

    def check(self, logs: Sequence[NoteKey], witnesses: Sequence[NoteKey]) -> Seen:
        """Give the checkpoint that proves the record.

        Args:
            logs: keys of the log that are believed.
            witnesses: keys of witnesses that are believed.

        Raises:
            AuditError: the proof does not hold.
        """
        found = seen(self.note, logs, witnesses)
        if found is None:
            raise AuditError("the proof's checkpoint is signed by no key of the log that is believed")
        if Link.from_bytes(self.record).seq != self.seq:
            raise AuditError(f"the proof is of record {self.seq}, and the record calls itself another one")
        head = found.checkpoint
        if not is_included(leaf_hash(self.record), self.seq, head.size, self.hashes, head.root):
            raise AuditError(f"the proof does not lead from record {self.seq} to the root of its checkpoint")
        return found


def prove(seq: int, records: Iterable[bytes], note: Note) -> Proof:
    """Prove that a record lies in the log.

    Args:
        seq: its number.
        records: of the log, from record 0 on.
        note: a checkpoint that agrees with them, of more records than `seq`.

    Raises:
        AuditError: the log lacks the record, or the checkpoint does not cover it.
    """
    size = Checkpoint.of(note).size
    if not 0 <= seq < size:
        raise AuditError(f"no checkpoint covers record {seq} yet; the last one covers {size} records")
    proved: list[bytes] = []

    def leaves() -> Iterable[bytes]:
        for at, record in zip(range(size), records, strict=False):
            if at == seq:
                proved.append(record)
            yield leaf_hash(record)

    try:
        hashes = proof_of(inclusion_spans(seq, size), leaves())
    except ValueError as error:
        raise AuditError(f"record {seq} cannot be proved: {error}") from error
    return Proof(proved[0], seq, tuple(hashes), note)
