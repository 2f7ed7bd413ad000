"""AuditLog: the writer's side, pure: it gives the bytes of the next record, and checkpoints when they are due.

What it holds is `Head`, a few hundred bytes: whoever writes in transactions takes the head before one, and goes back to
it when the transaction is not committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

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

EVERY_RECORDS: Final = 1_000
EVERY_MS: Final = 60_000
"""A checkpoint is due at so many records since the last one, or when the first of them is so old."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Where the log stands.

    Attributes:
        origin: its name.
        size: records in it.
        digest: of the last one.
        peaks: the frontier of its tree.
        covered: records below the last checkpoint that was made.
        open_since_ms: when the first record after that one was decided; None when there is none.
    """

    origin: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    digest: str
    peaks: tuple[bytes, ...] = ()
    covered: Annotated[int, msgspec.Meta(ge=0)] = 0
    open_since_ms: int | None = None

    def to_bytes(self) -> bytes:
        """Give JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Head:
        """Read what `to_bytes` gave.

        Raises:
            AuditError: it is no head of a log.
        """
        try:
            found = msgspec.json.decode(data, type=cls)
            Frontier(found.size, found.peaks)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise AuditError(f"this is no head of an audit log: {error}") from error
        return found


class AuditLog:
    """A log that grows at its end.

    Args:
        head: where it stands.
        every_records: records after which a checkpoint is due.
        every_ms: age of the first record without one at which a checkpoint is due, ms.
    """

    def __init__(self, head: Head, *, every_records: int = EVERY_RECORDS, every_ms: int = EVERY_MS) -> None:
        self._every_records, self._every_ms = every_records, every_ms
        self.head = head

    @property
    def head(self) -> Head:
        """Where the log stands; set it to go back to an earlier one that was never left."""
        return msgspec.structs.replace(self._head, size=self._tree.size, peaks=self._tree.peaks)

    @head.setter
    def head(self, head: Head) -> None:
        self._head, self._tree = head, Frontier(head.size, head.peaks)

    @property
    def size(self) -> int:
        """How many records there are; the number of the next one."""
        return self._tree.size

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
        record = AuditRecord(
            seq=self._tree.size, prev_hash=self._head.digest, event=event, decided_at_ms=now_ms, **fields
        )
        data = record.to_bytes()
        AuditRecord.from_bytes(data)
        self._tree.push(leaf_hash(data))
        since_ms = now_ms if self._head.open_since_ms is None else self._head.open_since_ms
        self._head = msgspec.structs.replace(self._head, digest=digest(data), open_since_ms=since_ms)
        return data

    def is_due(self, now_ms: int) -> bool:
        """Whether a checkpoint should be made."""
        waiting, since_ms = self.size - self._head.covered, self._head.open_since_ms
        if waiting == 0:
            return False
        return waiting >= self._every_records or since_ms is None or now_ms - since_ms >= self._every_ms

    def checkpoint(self, key: Key) -> Note:
        """Sign where the log stands; publish it in the transaction that commits its records, or after it."""
        self._head = msgspec.structs.replace(self._head, covered=self.size, open_since_ms=None)
        head = Checkpoint(self._head.origin, self.size, self._tree.root())
        return head.signed(self._head.origin, key)


def resumed(chain: Chain) -> AuditLog:
    """Go on with a log that was read from its topic; a checkpoint of it is due at once.

    Args:
        chain: its records, all of them, from record 0 on.

    Raises:
        AuditError: there is none.
    """
    origin, tree = chain.believed.state.trust.origin, chain.tree
    return AuditLog(Head(origin=origin, size=tree.size, digest=chain.head, peaks=tree.peaks))


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
    log = AuditLog(Head(origin=trust.origin, size=0, digest=NO_HASH))
    laid = Genesis(trust=trust, policy=policy)
    data = log.append(GENESIS, now_ms, genesis=laid, policy=state.policy, trust=state.digest)
    return log, data
