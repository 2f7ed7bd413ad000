"""Ended: commands and approvals that the audit tells were denied, refused or lapsed. No state rests on one."""

from __future__ import annotations

from typing import Final

from driftline.agents.audit.record import AuditRecord
from driftline.agents.control import shape
from driftline.agents.control.grants import UNREADABLE, asked
from driftline.agents.control.trust import ROOT_OPS
from driftline.agents.control.verdicts import UNSEEN
from driftline.schemas.control.command import AHEAD_MS, LONGEST_MS

_MAY_COME_AGAIN: Final = UNSEEN | {"approvals_missing", "bad_signature"}
"""Refusals of what root keys signed, after which the same may be decided: with more signatures, or come in time."""
ENDS: Final = frozenset(("denied", "failed", "lapsed", "rejected"))


class Ended:
    """Digests of such, by the records that an agent hears: for good, whatever a later record tells.

    Attributes:
        digests: of their payloads.
    """

    def __init__(self) -> None:
        self.digests: set[str] = set()

    def take(self, event: str, data: bytes) -> None:
        """Take in a record; raises AuditError when it cannot be read."""
        if event not in ENDS:
            return
        record = AuditRecord.from_bytes(data)
        if event == "rejected" and not _ends(record):
            return
        ended = (record.detail or {}).get("target") if event == "denied" else record.command
        if isinstance(ended, str):
            self.digests.add(ended)

    def fault(self, record: AuditRecord) -> str | None:
        """Why a command of root keys cannot have taken effect as a record tells; None when it can have.

        What they signed and the controller refused can be told of by whoever may write `audit`, without any key.
        """
        try:
            command = asked(record.envelope or "")
        except UNREADABLE as error:
            return f"its {record.op} cannot be read: {error}"
        if record.command in self.digests:
            return f"its {record.op} was refused before"
        if (wrong := shape.fault(command)) is not None:
            return f"its {record.op} is malformed: {wrong}"
        # It came before it expired, no more than `AHEAD_MS` before it was issued, and was decided `LONGEST_MS` after
        # it came at the latest, by no clock that is behind the broker's.
        if command.issued_at_ms - AHEAD_MS <= record.decided_at_ms <= command.expires_at_ms + LONGEST_MS:
            return None
        return f"its {record.op} took effect outside the time in which one is decided"


def _ends(record: AuditRecord) -> bool:
    """Whether a refusal is the end of a command; a copy of one that took effect, or will, may be refused too."""
    if record.op not in ROOT_OPS:
        # As a replay, or for a signature that somebody added.
        return bool(record.actor) and record.reject not in UNSEEN
    return record.reject not in _MAY_COME_AGAIN
