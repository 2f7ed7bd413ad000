"""AuditLog: the writer's side, pure: it gives the bytes of the next record, and checkpoints of those that are there.

It does not go back: whoever could not commit what it gave reads the topic again, and goes on with `resumed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import GENESIS, NO_HASH, AuditRecord, Genesis, digest
from driftline.agents.audit.tree import Frontier, leaf_hash
from driftline.agents.control.trust import first_state

if TYPE_CHECKING:
    from driftline.agents.audit.chain import Chain
    from driftline.agents.audit.notes import Note
    from driftline.agents.control.keys import Key
    from driftline.schemas.control.trust import Trust


class AuditLog:
    """A log that grows at its end.

    Args:
        origin: its name.
        tree: over the records that it has.
        head: digest of the last of them.
    """

    def __init__(self, origin: str, tree: Frontier, head: str = NO_HASH) -> None:
        self._origin, self._tree, self._head = origin, tree, head
        self._covered = 0

    @property
    def size(self) -> int:
        """How many records there are; the number of the next one."""
        return self._tree.size

    @property
    def is_signed(self) -> bool:
        """Whether a checkpoint that was made here covers all records."""
        return self._covered == self.size

    def append(self, event: str, now_ms: int, **fields: Any) -> bytes:  # noqa: ANN401 - the fields of AuditRecord
        """Make the next record.

        Args:
            event: what happened.
            now_ms: when it was decided, ms since 1970.
            fields: of AuditRecord, beyond its number and its predecessor's digest.

        Returns:
            Its bytes, which are to lie in Kafka as they are.

        Raises:
            AuditError: it cannot be written; the log stands where it stood.
        """
        record = AuditRecord(seq=self.size, prev_hash=self._head, event=event, decided_at_ms=now_ms, **fields)
        data = record.to_bytes()
        AuditRecord.from_bytes(data)
        self._tree.push(leaf_hash(data))
        self._head = digest(data)
        return data

    def checkpoint(self, key: Key) -> Note:
        """Sign where the log stands; publish it in the transaction that commits its records, or after it."""
        self._covered = self.size
        return Checkpoint(self._origin, self.size, self._tree.root()).signed(self._origin, key)


def resumed(chain: Chain) -> AuditLog:
    """Go on with a log that was read from its topic; it is to be signed before anything is added.

    Args:
        chain: its records, all of them, from record 0 on.

    Raises:
        AuditError: there is none.
    """
    return AuditLog(chain.believed.state.trust.origin, chain.tree.copy(), chain.head)


def begin(trust: Trust, policy: str, now_ms: int) -> tuple[AuditLog, bytes]:
    """Begin a log.

    Args:
        trust: who holds which key.
        policy: its text.
        now_ms: ms since 1970.

    Returns:
        The log, and record 0, whose digest is to be pinned.

    Raises:
        AuditError: the trust cannot hold.
    """
    try:
        state = first_state(trust, policy)
    except ValueError as error:
        raise AuditError(str(error)) from error
    log = AuditLog(trust.origin, Frontier())
    laid = Genesis(trust=trust, policy=policy)
    data = log.append(GENESIS, now_ms, genesis=laid, policy=state.policy, trust=state.digest)
    return log, data
