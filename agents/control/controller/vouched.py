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
    from collections.abc import Callable, Iterable, Iterator

    from driftline.agents.audit.chain import Chain
    from driftline.agents.audit.notes import NoteKey


class Vouched:
    """Follows a chain from record 0 on, which is pinned.

    Args:
        notes: the last messages of the topic of checkpoints, unbelieved.
        whole: gives all of them, where the end's may lie before the last: whoever may write the topic can fill it, or
            hide what follows behind a transaction that is left open. What was not committed fits no end that was.

    Attributes:
        size: records below the last checkpoint that a key of the log signed and the records agree with.
    """

    def __init__(self, notes: Iterable[bytes], whole: Callable[[], Iterable[bytes]] = tuple) -> None:
        self.size = 1
        self._logs: tuple[NoteKey, ...] = ()
        self._notes: dict[int, list[Note]] = {}
        self._whole = whole
        for found, note in checkpoints_in(notes):
            self._notes.setdefault(found.size, []).append(note)

    def take(self, chain: Chain) -> list[Note]:
        """Hold checkpoints against the chain, after each of its records; give those that vouch for it."""
        logs = chain.believed.logs
        if chain.size == 1:
            self._logs = logs
        # The turn that takes a key of the log away is signed by that key: its controller has no other.
        known = {*logs, *self._logs}
        found = [
            note
            for note in self._notes.pop(chain.size, ())
            if Checkpoint.of(note).root == chain.tree.root() and seen(note, known, ())
        ]
        if found:
            self.size, self._logs = chain.size, logs
        return found

    def require(self, chain: Chain) -> None:
        """Let no controller go on from an end that none signed, or before one that was; raises ControllerError."""
        size, logs = chain.size, chain.believed.logs
        beyond = [
            at for at, notes in self._notes.items() if at > size and any(seen(one, logs, ()) for one in notes)
        ]
        if beyond:
            raise ControllerError(
                f"the audit has {size:,} records, and a controller signed {max(beyond):,}: the last "
                f"{max(beyond) - size:,} are gone; look with 'driftline audit verify', and bring the topic back with "
                "'driftline audit restore'"
            )
        if self.size < size and not self._is_signed(chain):
            raise ControllerError(
                f"the audit has {size:,} records, and no controller signed the last {size - self.size:,}: somebody "
                "else wrote them, or checkpoints are gone; look with 'driftline audit tail', and leave them out with "
                "'driftline audit restore', or bring checkpoints back"
            )

    def _is_signed(self, chain: Chain) -> bool:
        """Whether a key that counts now signed the end, in any message of the topic."""
        return is_end_signed(chain, self._whole(), chain.believed.logs)


def is_end_signed(chain: Chain, notes: Iterable[bytes], logs: Iterable[NoteKey]) -> bool:
    """Whether one of these keys signed the end of a chain, in any of these messages."""
    end, known = (chain.size, chain.tree.root()), tuple(logs)
    return any(
        (found.size, found.root) == end and seen(note, known, ()) for found, note in checkpoints_in(notes)
    )


def checkpoints_in(notes: Iterable[bytes]) -> Iterator[tuple[Checkpoint, Note]]:
    """Read messages; what is no checkpoint is passed over."""
    for data in notes:
        try:
            note = Note.parse(data)
            yield Checkpoint.of(note), note
        except NoteError:
            continue
