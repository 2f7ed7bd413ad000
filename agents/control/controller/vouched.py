"""Vouched: how far controllers signed the audit; each signs the end that it commits, and nobody else can.

Kafka does not tell who wrote a record, and one of what a controller does of its own accord carries no envelope. Whoever
may write the topic while no controller runs would have the next one sign what they wish.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.agents.audit.checkpoint import Checkpoint, seen
from driftline.agents.audit.errors import NoteError
from driftline.agents.audit.notes import Note
from driftline.agents.control.controller.errors import ControllerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.agents.audit.chain import Chain
    from driftline.agents.audit.notes import NoteKey


class Vouched:
    """Follows a chain from record 0 on, which is pinned.

    Args:
        notes: messages of the topic of checkpoints, unbelieved.

    Attributes:
        size: records below the last checkpoint that a key of the log signed and the records agree with.
    """

    def __init__(self, notes: Iterable[bytes]) -> None:
        self.size = 1
        self._logs: tuple[NoteKey, ...] = ()
        self._notes: dict[int, list[Note]] = {}
        for data in notes:
            try:
                note = Note.parse(data)
                self._notes.setdefault(Checkpoint.of(note).size, []).append(note)
            except NoteError:
                continue

    def take(self, chain: Chain) -> None:
        """Hold checkpoints against the chain, after each of its records."""
        logs = chain.believed.logs
        if chain.size == 1:
            self._logs = logs
        for note in self._notes.pop(chain.size, ()):
            # The turn that takes a key of the log away is signed by that key: its controller has no other.
            if Checkpoint.of(note).root == chain.tree.root() and seen(note, {*logs, *self._logs}, ()):
                self.size, self._logs = chain.size, logs
                break

    def require(self, size: int) -> None:
        """Let no controller go on from an end that none signed; raises ControllerError."""
        if self.size < size:
            raise ControllerError(
                f"the audit has {size:,} records, and no controller signed the last {size - self.size:,}: somebody "
                "else wrote them, or checkpoints are gone; look with 'driftline audit tail', and bring topics back"
            )
