"""Ended: commands and approvals that the audit tells were denied, refused or lapsed. No state rests on one."""

from __future__ import annotations

from typing import Final

from driftline.agents.audit.record import AuditRecord
from driftline.agents.control.verdicts import UNSEEN

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
        if event == "rejected" and (not record.actor or record.reject in UNSEEN):
            # A copy of what took effect is refused too, as a replay or for a signature that somebody added.
            return
        ended = (record.detail or {}).get("target") if event == "denied" else record.command
        if isinstance(ended, str):
            self.digests.add(ended)
