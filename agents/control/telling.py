"""Telling: a decision as a record of the audit, and back; so a desk stands again where its audit ends.

A record holds what was signed verbatim, and in `detail` what else the desk needs: keys, rules, the payload of the state
that was made, of the trust that was set.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import EFFECTIVE, AuditRecord, Source, Unread
from driftline.agents.control.decisions import Decision, Event
from driftline.agents.control.desk import Desk
from driftline.agents.control.history import History
from driftline.agents.control.pending import LIMITS_MS
from driftline.agents.control.trust import CONTROLLER, ROOT, ROOT_OPS, first_state
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.command import Command
from driftline.schemas.control.envelope import Envelope, EnvelopeError
from driftline.schemas.control.serving_state import ServingState
from driftline.schemas.control.trust import TrustState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from driftline.agents.control.flood import Flooded
    from driftline.agents.control.judge import Facts
    from driftline.schemas.control.serving_state import Tier

EVENTS: Final[Mapping[Event, str]] = {
    "unsigned": "unread",
    "flooded": "unread",
    "rejected": "rejected",
    "waits": "waits",
    "approved": "approved",
    "denied": "denied",
    "reviewed": "reviewed",
    "lapsed": "lapsed",
    "failed": "failed",
    "decided": EFFECTIVE,
    "moved": "moved",
}
"""What the audit calls what is decided."""
BACK: Final[Mapping[str, Event]] = {name: event for event, name in EVENTS.items() if event != "unsigned"}
NAMELESS: Final[frozenset[Event]] = frozenset(("lapsed", "failed"))
"""Told of without an actor: the key of who asked may be revoked by then."""


def told(decision: Decision, source: Source | None) -> tuple[str, dict[str, Any]]:
    """The event and the fields of a decision's record, for `AuditLog.append`; its place there is the decision's."""
    command, after, before = decision.command, decision.after, decision.before
    trust = decision.trust or decision.held
    fields: dict[str, Any] = {
        "op": None if command is None else command.op,
        "command": decision.digest or None,
        "envelope": None if decision.envelope is None else decision.envelope.to_bytes().decode(),
        "approvals": decision.approvals,
        "actor": decision.by if _is_named(decision) else "",
        "approvers": decision.approvers,
        "deployment": after.deployment
        if after is not None
        else ""
        if command is None
        else command.deployment,
        "model": None if command is None else command.model,
        "profile": None if command is None else command.profile,
        "revision_before": None if before is None else before.revision,
        "revision_after": None if after is None else after.revision,
        "state_before": _digest(before),
        "state_after": _digest(after),
        "policy": None if trust is None else trust.policy,
        "trust": None if trust is None else trust.digest,
        "reject": None if decision.refusal is None else decision.refusal.code,
        "reasons": tuple(one for one in (_sentence(decision), decision.reason) if one),
        "source": source,
        "unread": _unread(decision),
        "detail": _detail(decision),
    }
    return EVENTS[decision.event], fields


def heard(record: AuditRecord) -> Decision | None:
    """The decision that a record tells of; None for records of other things, such as acks.

    What was before, and what bytes that nobody answers for were like, is left out: a desk does not need it.

    Raises:
        AuditError: the record tells of a decision, and not all of it.
    """
    event, detail = BACK.get(record.event), record.detail or {}
    if event is None:
        return None
    try:
        envelope = None if record.envelope is None else Envelope.from_bytes(record.envelope.encode())
        if envelope is not None and envelope.digest != record.command:
            raise AuditError(
                f"audit record {record.seq} carries another command than the digest that it names"
            )
        state, trust = detail.get("state"), detail.get("trust")
        return Decision(
            seq=record.seq,
            at_ms=record.decided_at_ms,
            event=event,
            by=record.actor or detail.get("by", ""),
            command=_command(envelope, record),
            envelope=envelope,
            digest=record.command or "",
            signers=frozenset(detail.get("signers", ())),
            target=detail.get("target", ""),
            approvers=record.approvers,
            approvals=record.approvals,
            lacking=detail.get("lacking", 0),
            until_ms=detail.get("until_ms", 0),
            refusal=_refusal(record),
            rules=tuple(detail.get("rules", ())),
            after=None if state is None else ServingState.from_bytes(state.encode()),
            trust=None if trust is None else TrustState.from_bytes(trust.encode()),
        )
    except (EnvelopeError, msgspec.MsgspecError, TypeError, AttributeError) as error:
        raise AuditError(
            f"audit record {record.seq} ({record.event}) tells of no whole decision: {error}"
        ) from error


def begun(
    record: AuditRecord,
    look: Callable[[Command], Facts | Refusal],
    limits_ms: Mapping[Tier, int] = LIMITS_MS,
) -> Desk:
    """The desk after record 0, of the arguments that `Desk` has; raises AuditError when it is no genesis."""
    if record.genesis is None:
        raise AuditError(f"audit record {record.seq} is no genesis")
    laid = record.genesis
    state = first_state(laid.trust, laid.policy)
    return Desk(History.of(state, laid.policy, record.decided_at_ms), look, record.seq + 1, limits_ms)


def hear(desk: Desk, record: AuditRecord, believed: TrustState) -> None:
    """Let a desk take in the next record.

    Args:
        desk: that heard all before it.
        record: the next one.
        believed: the trust after it, as its roots signed it.

    Raises:
        AuditError: it tells of half a decision, or of another trust.
    """
    with taken_in(record):
        decision = heard(record)
        if decision is not None:
            desk.apply(decision)
    desk.seq = record.seq + 1
    if record.op not in ROOT_OPS and (decision is None or decision.trust is None):
        return  # it changes no trust
    told = desk.history.now.ring.state
    if told.digest != believed.digest:
        raise AuditError(
            f"audit record {record.seq} ({record.event}) leads to a trust (version {told.version}) that is not the one "
            f"that roots signed (version {believed.version})"
        )


@contextmanager
def taken_in(record: AuditRecord) -> Iterator[None]:
    """Take in a record inside; raises AuditError when it lacks what its event needs, or fits none before it."""
    try:
        yield
    except (LookupError, TypeError, ValueError, msgspec.MsgspecError) as error:
        raise AuditError(f"audit record {record.seq} ({record.event}) is not whole: {error!r}") from error


def _is_named(decision: Decision) -> bool:
    """Whether the record names a person as who asked."""
    return decision.event not in NAMELESS and decision.by not in (ROOT, CONTROLLER)


def _detail(decision: Decision) -> dict[str, Any] | None:
    found = {
        "by": "" if _is_named(decision) else decision.by,
        "signers": sorted(decision.signers),
        "target": decision.target,
        "lacking": decision.lacking,
        "until_ms": decision.until_ms,
        "rules": list(decision.rules),
        "state": None if decision.after is None else decision.after.to_bytes().decode(),
        "trust": None if decision.trust is None else decision.trust.to_bytes().decode(),
    }
    return {name: value for name, value in found.items() if value} or None


def _unread(decision: Decision) -> Unread | None:
    one, many = decision.unsigned, decision.flooded
    if one is not None:
        return Unread(
            count=1,
            first_offset=one.offset,
            last_offset=one.offset,
            size_bytes=one.size_bytes,
            digest=one.sha256,
        )
    return None if many is None else unread(many)


def unread(many: Flooded) -> Unread:
    """Many records that nobody read, as the audit tells of them."""
    return Unread(
        count=many.count,
        first_offset=many.first_offset,
        last_offset=many.last_offset,
        size_bytes=many.size_bytes,
        digest=many.root,
    )


def _command(envelope: Envelope | None, record: AuditRecord) -> Command | None:
    """The command that was signed; what was refused as malformed may be none."""
    if envelope is None or record.op is None:
        return None
    return Command.from_bytes(envelope.body)


def _refusal(record: AuditRecord) -> Refusal | None:
    return None if record.reject is None else Refusal(record.reject, "; ".join(record.reasons))


def _sentence(decision: Decision) -> str:
    return "" if decision.refusal is None else decision.refusal.sentence


def _digest(state: ServingState | None) -> str | None:
    return None if state is None else hashlib.sha256(state.to_bytes()).hexdigest()
