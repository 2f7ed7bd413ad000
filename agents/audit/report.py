"""Report: what a verification found, and in words what none can find."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.errors import AuditError

if TYPE_CHECKING:
    from driftline.agents.audit.faults import Fault
    from driftline.agents.audit.notes import Note
    from driftline.schemas.control.envelope import Digest

BLIND: Final = (
    "Not found: an attacker who holds the log, its checkpoint key and every witness; and, in records that no witness "
    "has signed yet and nobody remembers, whoever may write the log."
)
"""What no verification of this kind can find, in words."""


@dataclass(frozen=True, slots=True)
class Pins:
    """What does not come from the log.

    Attributes:
        genesis: digest of record 0.
        remembered: what an earlier verification found, kept by whoever verifies.
    """

    genesis: Digest
    remembered: Checkpoint | None = None


@dataclass(slots=True)
class Report:
    """What a verification found.

    Attributes:
        records: how many records there are.
        verified: how many of them, from record 0 on, are as they were written.
        fault: the first thing that is wrong.
        origin: the name of the log.
        root: of the tree over the verified records.
        checkpoints: how many checkpoints of the log agree with the records.
        unsigned: how many notes the log's key did not sign, or are none.
        witnessed: records below the last checkpoint that a witness signed.
        witnessed_at_s: when the last witness signed it, s since 1970.
        witnesses: who did.
        remembered: records below the remembered checkpoint, once it agreed.
        tail_since_ms: when the first record that no witness signed was decided, ms since 1970.
        note: the last checkpoint that agreed: of those that a witness signed, else of all.
        signatures: how many signatures in records were checked.
        compromised: keys of which a revocation says since when they are not to be trusted, ms since 1970.
    """

    records: int = 0
    verified: int = 0
    fault: Fault | None = None
    origin: str = ""
    root: bytes = b""
    checkpoints: int = 0
    unsigned: int = 0
    witnessed: int = 0
    witnessed_at_s: int = 0
    witnesses: tuple[str, ...] = ()
    remembered: int = 0
    tail_since_ms: int | None = None
    note: Note | None = None
    signatures: int = 0
    compromised: dict[str, int] = field(default_factory=dict)

    @property
    def tail(self) -> int:
        """How many verified records no witness has signed."""
        return self.verified - self.witnessed

    @property
    def is_anchored(self) -> bool:
        """Whether something outside of the log vouches for a part of it."""
        return self.witnessed > 0 or self.remembered > 0

    @property
    def head(self) -> Checkpoint:
        """What is worth remembering after a verification without a fault."""
        return Checkpoint(self.origin, self.verified, self.root)

    def require(self) -> None:
        """Let nobody go on whose audit has a fault; raises AuditError, which names it."""
        if self.fault is not None:
            raise AuditError(
                f"the audit cannot be believed: {self.fault}; 'driftline audit verify' says more"
            )

    def plain(self) -> dict[str, Any]:
        """Give it for programs."""
        fault = self.fault
        return {
            "records": self.records,
            "verified": self.verified,
            "fault": None
            if fault is None
            else {"kind": fault.kind, "seq": fault.seq, "until": fault.until, "why": fault.why},
            "origin": self.origin,
            "root": self.root.hex(),
            "checkpoints": self.checkpoints,
            "unsigned_notes": self.unsigned,
            "witnessed": self.witnessed,
            "witnessed_at_s": self.witnessed_at_s or None,
            "witnesses": list(self.witnesses),
            "remembered": self.remembered,
            "unwitnessed": self.tail,
            "unwitnessed_since_ms": self.tail_since_ms,
            "signatures": self.signatures,
            "compromised": self.compromised,
            "blind": BLIND,
        }
