"""Past: the verified audit as history and inventory ask for it: records of a deployment, and what stood when."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import EFFECTIVE, AuditRecord, Link
from driftline.agents.control.controller.answers import ACKED
from driftline.agents.control.controller.ledger import Ledger
from driftline.agents.control.grants import CHAMPIONS
from driftline.agents.control.judge import Facts
from driftline.agents.control.moves import CONTROLLER
from driftline.agents.control.telling import BACK
from driftline.deploy.control.verified import Verified
from driftline.schemas.control.serving_state import ServingState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from driftline.schemas.control.command import ModelRef

Row = TypeVar("Row")
UNTOLD = frozenset((ACKED, "approved"))
"""Events that a history leaves out: an approval stands with the command that it approved."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done: where it stands in the audit, when, who asked and approved, and what it makes champion, if any."""

    seq: int
    at_ms: int
    by: str
    approvers: tuple[str, ...] = ()
    champion: ModelRef | None = None


class Past:
    """What an audit tells.

    Args:
        records: from record 0 on, as far as they are to be taken in.
        genesis: the pinned digest of record 0.

    Raises:
        AuditError: a record does not follow the one before it, or cannot be read.

    Attributes:
        ledger: all that a controller would know.
        deeds: commands that took effect, by the digest of their payload.
        registers: records that registered a model, by deployment and version.
        validations: those that validated one.
        placed: by what the champion of each deployment was put there last.
    """

    def __init__(self, records: Iterable[bytes], genesis: str) -> None:
        self.deeds: dict[str, Deed] = {}
        self.registers: dict[tuple[str, str], AuditRecord] = {}
        self.validations: dict[tuple[str, str], AuditRecord] = {}
        self.placed: dict[str, Deed] = {}
        self._stood: dict[str, ServingState] = {}
        self.ledger = Ledger(records, genesis, lambda _: Facts(), self._take)

    def _take(self, record: AuditRecord) -> None:
        """Keep what is asked for later."""
        if record.event == EFFECTIVE:
            self.deeds[record.command or ""] = Deed(
                record.seq,
                record.decided_at_ms,
                record.actor,
                record.approvers,
                record.model if record.op in (*CHAMPIONS, "rollback") else None,
            )
            held = {"register": self.registers, "validate": self.validations}.get(record.op or "")
            if held is not None and record.model is not None:
                held[record.deployment, record.model.version] = record
        text = (record.detail or {}).get("state") if record.event in BACK else None
        if text is not None:
            self._place(record, ServingState.from_bytes(text.encode()))

    def _place(self, record: AuditRecord, state: ServingState) -> None:
        """Keep who put the champion there, where a record makes it another one, or promotes it again."""
        before = self._stood.get(state.deployment)
        self._stood[state.deployment] = state
        is_same = before is not None and before.champion == state.champion
        # What windows go back to is never what was being prepared: it is loaded already.
        prepared = None if before is None else before.change
        change = record.command if record.event == EFFECTIVE else prepared
        deed = None if change is None else self.deeds.get(change)
        if deed is not None and deed.champion is not None and deed.champion == state.champion:
            if not is_same or record.op == "promote":
                self.placed[state.deployment] = deed
        elif not is_same:
            self.placed[state.deployment] = Deed(record.seq, record.decided_at_ms, CONTROLLER)


def past_of(
    records: Iterable[bytes],
    notes: Iterable[bytes],
    genesis: str,
    until_ms: int | None = None,
    *,
    every_note: Callable[[], Iterable[bytes]] = tuple,
    signatures: bool = False,
) -> Past:
    """Verify an audit, and take in what it tells up to a time.

    Args:
        records: all, from record 0 on.
        notes: checkpoints.
        genesis: the pinned digest of record 0.
        until_ms: records that were decided later are verified, and not taken in; None takes in all.
        every_note: gives all checkpoints anew, where none of `notes` signs the end.
        signatures: whether every signature in the records is checked too.

    Raises:
        AuditError: the audit cannot be believed, or tells of nothing at that time.
        ControllerError: no controller signed its end.
    """
    verified = Verified(notes, genesis, every_note, signatures=signatures)
    passing = verified.passing(records)
    try:
        past = Past(_until(passing, until_ms), genesis)
    finally:
        # What came later is verified too, and a fault in the audit says more than what it led to.
        deque(passing, maxlen=0)
        verified.require()
    verified.require_end()
    return past


def told_of(
    deployment: str,
    records: Iterable[bytes],
    notes: Iterable[bytes],
    genesis: str,
    row: Callable[[AuditRecord], Row],
    *,
    every_note: Callable[[], Iterable[bytes]] = tuple,
    signatures: bool = False,
) -> list[Row]:
    """Verify an audit, and give a deployment's history, oldest first, with the denials of its commands.

    Args:
        deployment: whose history.
        records: all, from record 0 on.
        notes: checkpoints.
        genesis: the pinned digest of record 0.
        row: what is kept of each record.
        every_note: gives all checkpoints anew, where none of `notes` signs the end.
        signatures: whether every signature in the records is checked too.

    Raises:
        AuditError: the audit cannot be believed.
        ControllerError: no controller signed its end.
    """
    verified = Verified(notes, genesis, every_note, signatures=signatures)
    digests: set[str] = set()
    rows: list[Row] = []
    for data in verified.passing(records):
        record = AuditRecord.from_bytes(data)
        target = (record.detail or {}).get("target")
        is_about = record.deployment == deployment or (isinstance(target, str) and target in digests)
        if record.deployment == deployment and record.command:
            digests.add(record.command)
        if is_about and record.event not in UNTOLD:
            rows.append(row(record))
    verified.require()
    verified.require_end()
    return rows


def _until(records: Iterable[bytes], until_ms: int | None) -> Iterator[bytes]:
    """Give the records that were decided up to a time."""
    is_first = True
    for data in records:
        if until_ms is not None and Link.from_bytes(data).decided_at_ms > until_ms:
            if is_first:
                raise AuditError("the audit tells of nothing at that time")
            return
        is_first = False
        yield data
