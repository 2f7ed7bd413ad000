"""Ended: commands and approvals that the audit tells were denied, refused or lapsed. No state rests on one."""

from __future__ import annotations

from typing import Final

from driftline.agents.audit.record import EFFECTIVE, AuditRecord
from driftline.agents.control.verdicts import UNSEEN

ENDS: Final = frozenset(("denied", "failed", "lapsed", "rejected"))
GOES_ON: Final = frozenset(("waits", "approved", EFFECTIVE))


class Ended:
    """Digests of such, by the records that an agent hears.

    Attributes:
        digests: of their payloads.
    """

    def __init__(self) -> None:
        self.digests: set[str] = set()
        self._over: set[str] = set()

    def take(self, event: str, data: bytes) -> None:
        """Take in a record; raises AuditError when it cannot be read."""
        if event not in ENDS and (event not in GOES_ON or not self.digests):
            return
        record = AuditRecord.from_bytes(data)
        if event in GOES_ON:
            # Who sent too many commands at a time may send one again that was refused for that alone. What waited is
            # not taken twice: whoever stole the controller's keys may tell that it took effect, and it stays over.
            if record.command not in self._over:
                self.digests.discard(record.command or "")
            return
        if event == "rejected" and (not record.actor or record.reject in UNSEEN):
            # A copy of what took effect is refused too, as a replay or for a signature that somebody added.
            return
        ended = (record.detail or {}).get("target") if event == "denied" else record.command
        if isinstance(ended, str):
            self.digests.add(ended)
            # By this code alone one is refused that may come again: of whoever sent too many.
            if record.reject != "precondition_failed":
                self._over.add(ended)
