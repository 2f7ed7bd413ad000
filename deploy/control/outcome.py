"""Outcome: what the audit says about a command that was published."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import NO_HASH, AuditRecord
from driftline.agents.control.telling import told
from driftline.deploy.control.errors import AskingError

if TYPE_CHECKING:
    from driftline.agents.control.decisions import Decision
    from driftline.deploy.control.wire import Wire
    from driftline.schemas.control.command import Command

POLL_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a command.

    Attributes:
        event: as the audit calls it.
        seq: of the record that says so; None where nothing was published.
        code, sentence: of a refusal.
        lacking, until_ms: of a command that waits.
        approvers: ids of the persons whose approvals counted.
        revision: of the deployment after it.
        is_prepared: whether instances load something before it is so.
        rules: of the policy, that decided.
        then: what came of the command that was approved by it.
    """

    event: str
    seq: int | None
    code: str | None = None
    sentence: str = ""
    lacking: int = 0
    until_ms: int = 0
    approvers: tuple[str, ...] = ()
    revision: int | None = None
    is_prepared: bool = False
    rules: tuple[str, ...] = ()
    then: Outcome | None = None

    @property
    def is_refusal(self) -> bool:
        """Whether it was refused, it or what it approved."""
        return self.event in REFUSALS or (self.then is not None and self.then.is_refusal)


REFUSALS = frozenset(("rejected", "unread", "failed", "lapsed"))


def outcome_of(record: AuditRecord) -> Outcome:
    """Read a record as the outcome of its command."""
    detail: dict[str, Any] = record.detail or {}
    return Outcome(
        event=record.event,
        seq=record.seq,
        code=record.reject,
        sentence="; ".join(record.reasons),
        lacking=detail.get("lacking", 0),
        until_ms=detail.get("until_ms", 0),
        approvers=record.approvers,
        revision=record.revision_after,
        is_prepared='"phase":"prepare"' in detail.get("state", ""),
        rules=tuple(detail.get("rules", ())),
    )


def foreseen(decisions: Iterable[Decision]) -> Outcome:
    """What a desk says of a command that was not published."""
    found: Outcome | None = None
    for decision in reversed(list(decisions)):
        event, fields = told(decision, None)
        made = outcome_of(AuditRecord(seq=0, prev_hash=NO_HASH, event=event, decided_at_ms=0, **fields))
        found = replace(made, seq=None, then=found)
    if found is None:
        raise AskingError("the command would be lost in a flood")
    return found


def awaited(
    wire: Wire, command: Command, value: bytes, *, timeout_s: float, clock: Callable[[], float]
) -> Outcome | None:
    """Wait until the audit tells of a command; None when it does not within a time.

    Args:
        wire: whose audit was read to its end before the command was published.
        command: what was asked.
        value: the envelope as it was published.
        timeout_s: how long to wait, s.
        clock: gives s.

    Raises:
        AuditError: the audit cannot be read.
    """
    digests = {hashlib.sha256(command.to_bytes()).hexdigest(), hashlib.sha256(value).hexdigest()}
    end_s, first = clock() + timeout_s, None
    while clock() < end_s:
        for record in _records(wire.coming(min(POLL_S, timeout_s))):
            about = record.command or (record.unread.digest if record.unread is not None else None)
            if first is None and about in digests:
                first = outcome_of(record)
                if record.event != "approved":
                    return first
            elif first is not None:
                # What an approval leads to stands right behind it.
                follows = record.command == command.target
                return replace(first, then=outcome_of(record)) if follows else first
        if first is not None:
            return first
    return first


def _records(values: list[bytes]) -> Iterator[AuditRecord]:
    for value in values:
        try:
            yield AuditRecord.from_bytes(value)
        except AuditError as error:
            raise AskingError(f"the audit cannot be read: {error}") from error
