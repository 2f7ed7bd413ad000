"""Verified: an audit as people and programs may believe it: whole, as it is pinned, and signed at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.agents.audit.record import AuditRecord
from driftline.agents.audit.report import Pins
from driftline.agents.audit.verify import Verifier
from driftline.agents.control.controller.vouched import Vouched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from driftline.agents.audit.chain import Chain


class Verified:
    """An audit whose records agree with each other, with what is pinned, and whose end a controller signed.

    Args:
        notes: checkpoints.
        genesis: the pinned digest of record 0.
        every_note: gives all checkpoints anew, where none of `notes` signs the end.
        signatures: whether every signature in the records is checked too.
    """

    def __init__(
        self,
        notes: Iterable[bytes],
        genesis: str,
        every_note: Callable[[], Iterable[bytes]],
        *,
        signatures: bool,
    ) -> None:
        held = tuple(notes)
        self._verifier = Verifier(Pins(genesis), held, signatures=signatures)
        self._vouched = Vouched(held, every_note)

    @property
    def chain(self) -> Chain:
        """What was verified so far."""
        return self._verifier.chain

    def passing(self, records: Iterable[bytes]) -> Iterator[bytes]:
        """Give each record that is verified; believe none before `require`."""
        for data in self._verifier.passing(records):
            self._vouched.take(self._verifier.chain)
            yield data

    def read(self, records: Iterable[bytes]) -> Iterator[AuditRecord]:
        """Give the same, each read once."""
        for data in self.passing(records):
            yield self._verifier.record or AuditRecord.from_bytes(data)

    def require(self) -> None:
        """Let nobody go on whose audit has a fault; raises AuditError."""
        self._verifier.report.require()

    def require_end(self) -> None:
        """Let nobody believe an end that no controller signed; raises ControllerError."""
        self._vouched.require(self._verifier.chain)
