"""Past: the verified audit as history and inventory ask for it: records of a deployment, and what stood when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import EFFECTIVE, AuditRecord
from driftline.agents.audit.report import Pins
from driftline.agents.audit.verify import Verifier
from driftline.agents.control.controller.ledger import Ledger
from driftline.agents.control.judge import Facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from driftline.schemas.control.serving_state import ServingState

UNTOLD = frozenset(("acked", "approved"))
"""Events that a history leaves out: an approval stands with the command that it approved."""


@dataclass(frozen=True, slots=True)
class Deed:
    """A command that took effect: where it stands in the audit, who asked, who approved, when."""

    seq: int
    at_ms: int
    by: str
    approvers: tuple[str, ...]


@dataclass(slots=True)
class Past:
    """What a verified audit tells.

    Attributes:
        ledger: all that a controller would know.
        seq: of the last record that was read.
        deeds: commands that took effect, by the digest of their payload.
        registers: records that registered a model, by deployment and version.
        validations: those that validated one.
    """

    ledger: Ledger
    seq: int
    deeds: dict[str, Deed] = field(default_factory=dict)
    registers: dict[tuple[str, str], AuditRecord] = field(default_factory=dict)
    validations: dict[tuple[str, str], AuditRecord] = field(default_factory=dict)


def past_of(
    read: Callable[[], Iterator[bytes]], notes: Iterable[bytes], genesis: str, until_ms: int | None = None
) -> Past:
    """Verify an audit, and take in what it tells up to a time.

    Args:
        read: gives every record, from record 0 on.
        notes: checkpoints.
        genesis: the pinned digest of record 0.
        until_ms: records that were decided later are verified, and not taken in; None takes in all.

    Raises:
        AuditError: the audit cannot be believed, or tells of nothing at that time.
    """
    verified(read(), notes, genesis)
    kept: list[AuditRecord] = []
    made = Past(Ledger(_until(read(), until_ms, kept), genesis, lambda _: Facts()), kept[-1].seq)
    for record in kept:
        if record.event != EFFECTIVE:
            continue
        deed = Deed(record.seq, record.decided_at_ms, record.actor, record.approvers)
        made.deeds[record.command or ""] = deed
        held = {"register": made.registers, "validate": made.validations}.get(record.op or "")
        if held is not None and record.model is not None:
            held[record.deployment, record.model.version] = record
    return made


def verified(records: Iterator[bytes], notes: Iterable[bytes], genesis: str) -> None:
    """Verify an audit; raises AuditError when it cannot be believed."""
    Verifier(Pins(genesis), notes).run(records).require()


def told_of(deployment: str, records: Iterable[bytes]) -> Iterator[AuditRecord]:
    """Give the records of a deployment's history, oldest first, with the denials of its commands."""
    digests: set[str] = set()
    for data in records:
        record = AuditRecord.from_bytes(data)
        is_about = record.deployment == deployment or (record.detail or {}).get("target") in digests
        if record.deployment == deployment and record.command:
            digests.add(record.command)
        if is_about and record.event not in UNTOLD:
            yield record


def state_of(past: Past, deployment: str) -> ServingState | None:
    """What stood in a deployment; None when nothing was told of it."""
    return past.ledger.desk.states.get(deployment)


def _until(records: Iterator[bytes], until_ms: int | None, kept: list[AuditRecord]) -> Iterator[bytes]:
    for data in records:
        record = AuditRecord.from_bytes(data)
        if until_ms is not None and record.decided_at_ms > until_ms:
            break
        # Acks are many, and nothing is asked of them here.
        if record.event != "acked" or not kept:
            kept.append(record)
        yield data
    if not kept:
        raise AuditError("the audit tells of nothing at that time")
