"""Audits as whoever may write the topic makes them: records that follow, are whole, and claim what they like."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from msgspec.structs import replace
from office import Office
from signed import command, key, signed

from driftline.agents.audit.chain import Chain
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.audit.writer import resumed
from driftline.agents.control.forgets import Forgets, kind_of
from driftline.agents.control.trust import changed
from driftline.schemas.control.command import Command
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.control.trust import TrustState
from driftline.schemas.forgets import Forget, Mark

OTHER = "order-8"
"""What nobody let be forgotten."""
LATER_MS = 1_800_000_100_000


def told(records: list[bytes], mark: Mark | None = None) -> tuple[list[Forget], list[str], Forgets]:
    """Hear an audit; return what it lets be forgotten, and what is wrong with its records."""
    forgets = Forgets(digest(records[0]), mark)
    found: list[Forget] = []
    wrong: list[str] = []
    for data in records:
        try:
            found += forgets.hear(data)
        except AuditError as error:
            wrong.append(": ".join(kind_of(error)))
    return found, wrong, forgets


def added(records: list[bytes], event: str = "effective", **fields: Any) -> list[bytes]:
    """Return an audit with one record more that follows, whoever wrote it."""
    chain = Chain(digest(records[0]))
    for data in records:
        with suppress(AuditError):  # a change of trust that is not believed follows all the same
            chain.take(data)
    return [*records, resumed(chain).append(event, LATER_MS, **fields)]


def claimed(records: list[bytes], said: Envelope | None, *approvals: Envelope, **over: Any) -> list[bytes]:
    """Return an audit that claims that a forget took effect."""
    fields = {
        "op": "forget",
        "command": None if said is None else said.digest,
        "envelope": None if said is None else said.to_bytes().decode(),
        "approvals": tuple(one.to_bytes().decode() for one in approvals),
        "actor": "sue",
        "approvers": ("bob",),
        "deployment": "churn",
    }
    return added(records, **{**fields, **over})


def wish(*words: str, by: tuple[str, ...] = ("bob",), **fields: Any) -> tuple[Envelope, ...]:
    """Return a command to forget OTHER that was signed, and approvals of it."""
    said = signed(command("forget", **{"target": OTHER, **fields}), *words)
    return said, *(signed(command("approve", target=said.digest), word) for word in by)


def edited(said: Envelope) -> Envelope:
    """Return an envelope whose payload names another prediction, under the signatures of the first."""
    body = Command.from_bytes(said.body)
    other = signed(replace(body, target=OTHER))
    return Envelope(other.payload, other.payload_type, said.signatures)


def granted(office: Office) -> tuple[Envelope, ...]:
    """Return the command that was carried out, and its approval."""
    last = office.told[-1]
    assert last.envelope is not None
    return last.envelope, *(Envelope.from_bytes(text.encode()) for text in last.approvals)


def root_change(records: list[bytes], state: TrustState, said: Command) -> tuple[list[bytes], TrustState]:
    """Return an audit in which roots changed trust, and the state after it."""
    signers = frozenset((key("root-1").keyid, key("root-2").keyid))
    after = changed(state, said, signers, LATER_MS)
    assert isinstance(after, TrustState)
    envelope = signed(said, "root-1", "root-2")
    fields = {"op": said.op, "command": envelope.digest, "envelope": envelope.to_bytes().decode()}
    return added(records, **fields, policy=after.policy, trust=after.digest), after


def rewritten(data: bytes, name: str, value: Any) -> bytes:
    """Return a record with one field changed."""
    return replace(AuditRecord.from_bytes(data), **{name: value}).to_bytes()
