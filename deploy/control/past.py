"""Past: the verified audit as history and inventory ask for it: records of a deployment, and what stood when."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import EFFECTIVE, AuditRecord, Link
from driftline.agents.control.controller.answers import ACKED
from driftline.agents.control.controller.ledger import Ledger
from driftline.agents.control.judge import Facts
from driftline.deploy.control.placing import Champions
from driftline.deploy.control.shown import moment
from driftline.deploy.control.verified import Verified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Row = TypeVar("Row")
UNTOLD = frozenset((ACKED, "approved"))
"""Events that a history leaves out: an approval stands with the command that it approved."""


class Target(NamedTuple):
    """The command that a denial or a review is about.

    Attributes:
        op: of it.
        version: of the model that it names, if it names one.
    """

    op: str
    version: str | None


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
        self._champions = Champions()
        self.deeds, self.placed = self._champions.deeds, self._champions.placed
        self.registers: dict[tuple[str, str], AuditRecord] = {}
        self.validations: dict[tuple[str, str], AuditRecord] = {}
        self.ledger = Ledger(records, genesis, lambda _: Facts(), self._take)

    def _take(self, record: AuditRecord) -> None:
        """Keep what is asked for later."""
        self._champions.take(record)
        held = {"register": self.registers, "validate": self.validations}.get(record.op or "")
        if record.event == EFFECTIVE and held is not None and record.model is not None:
            held[record.deployment, record.model.version] = record


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
    row: Callable[[AuditRecord, Target | None], Row],
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
        row: what is kept of each record, and of the command that it is about where that is another one.
        every_note: gives all checkpoints anew, where none of `notes` signs the end.
        signatures: whether every signature in the records is checked too.

    Raises:
        AuditError: the audit cannot be believed.
        ControllerError: no controller signed its end.
    """
    verified = Verified(notes, genesis, every_note, signatures=signatures)
    asked: dict[str, Target] = {}
    rows: list[Row] = []
    for data in verified.passing(records):
        record = AuditRecord.from_bytes(data)
        about = (record.detail or {}).get("target")
        target = asked.get(about) if isinstance(about, str) else None
        is_told = record.deployment == deployment or target is not None
        if record.deployment == deployment and record.command:
            version = None if record.model is None else record.model.version
            asked.setdefault(record.command, Target(record.op or "", version))
        if is_told and record.event not in UNTOLD:
            rows.append(row(record, target))
    verified.require()
    verified.require_end()
    return rows


def _until(records: Iterable[bytes], until_ms: int | None) -> Iterator[bytes]:
    """Give the records that were decided up to a time."""
    is_first = True
    for data in records:
        if until_ms is not None and Link.from_bytes(data).decided_at_ms > until_ms:
            if is_first:
                began = moment(Link.from_bytes(data).decided_at_ms)
                raise AuditError(f"the audit tells of nothing before {began}: name a later time")
            return
        is_first = False
        yield data
