"""Outcome: what the audit says about a command that was published."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from driftline.agents.audit.record import NO_HASH, AuditRecord
from driftline.agents.control.telling import told
from driftline.deploy.control.errors import AskingError
from driftline.schemas.control.serving_state import ServingState

if TYPE_CHECKING:
    from driftline.agents.audit.record import Unread
    from driftline.agents.control.decisions import Decision
    from driftline.deploy.control.board import Board
    from driftline.deploy.control.wire import Wire
    from driftline.schemas.control.command import Command

POLL_S = 0.5
SIGNED_S = 10.0
"""How long a signature of a controller is waited for that should have come with what it is under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a command.

    Attributes:
        event: as the audit calls it.
        seq: of the record that says so; None where nothing was published.
        code, sentence: of a refusal.
        lacking, until_ms: of a command that waits; `until_ms` is 0 where nothing was published, for the controller's
            settings say how long it would.
        approvers: ids of the persons whose approvals counted.
        revision: of the deployment after it.
        is_prepared: whether instances load something before it is so.
        rules: of the policy, that decided.
        then: what came of the command that was approved by it.
        ended: what came of what is prepared, where that was waited for: `activated`, or `cancelled`.
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
    ended: Outcome | None = None

    @property
    def is_refusal(self) -> bool:
        """Whether it was refused or cancelled, it or what it approved."""
        more = (one for one in (self.then, self.ended) if one is not None)
        return self.event in REFUSALS or any(one.is_refusal for one in more)


ACTIVATED, CANCELLED = "activated", "cancelled"
REFUSALS = frozenset(("rejected", "unread", "failed", "lapsed", CANCELLED))


def outcome_of(record: AuditRecord) -> Outcome:
    """Read a record as the outcome of its command."""
    detail: dict[str, Any] = record.detail or {}
    state = _state(record)
    return Outcome(
        event=record.event,
        seq=record.seq,
        code=record.reject,
        sentence="; ".join(record.reasons) or _of_many(record.unread),
        lacking=detail.get("lacking", 0),
        until_ms=detail.get("until_ms", 0),
        approvers=record.approvers,
        revision=record.revision_after,
        is_prepared=state is not None and state.phase == "prepare",
        rules=tuple(detail.get("rules", ())),
    )


def _of_many(unread: Unread | None) -> str:
    if unread is None:
        return ""
    return (
        f"it came among {unread.count:,} that were refused in a flood, told of as one: ask again in a minute"
    )


def foreseen(decisions: Iterable[Decision]) -> Outcome:
    """What a desk says of a command that was not published."""
    found: Outcome | None = None
    for decision in reversed(list(decisions)):
        event, fields = told(decision, None)
        made = outcome_of(AuditRecord(seq=0, prev_hash=NO_HASH, event=event, decided_at_ms=0, **fields))
        until_ms = 0 if made.event == "waits" else made.until_ms
        found = replace(made, seq=None, until_ms=until_ms, then=found)
    if found is None:
        raise AskingError(
            "the command would be one of a flood, and have no answer of its own: ask again in a minute"
        )
    return found


def awaited(
    wire: Wire,
    board: Board,
    command: Command,
    value: bytes,
    offset: int,
    *,
    timeout_s: float,
    clock: Callable[[], float],
) -> Outcome | None:
    """Wait until the audit tells of a command, and what came of what instances prepare for it.

    Args:
        wire: where the audit comes from.
        board: that heard it to its end before the command was published.
        command: what was asked.
        value: the envelope as it was published.
        offset: where it lies.
        timeout_s: how long to wait, s.
        clock: gives s.

    Returns:
        As far as it is told within the time; None when nothing is.

    Raises:
        AskingError: no controller signed what the audit tells.
        AuditError: the audit cannot be read, or believed.
    """
    digests = {hashlib.sha256(command.to_bytes()).hexdigest(), hashlib.sha256(value).hexdigest()}
    end_s, told = clock() + timeout_s, _Told(digests, command.target, offset)
    while clock() < end_s and not told.is_whole:
        for record in board.hears(wire.coming(min(POLL_S, timeout_s))):
            told.take(record)
        told.pause()
    if told.outcome is not None:
        _signed(wire, board, clock)
    return told.outcome


def _signed(wire: Wire, board: Board, clock: Callable[[], float]) -> None:
    """Wait until a controller signed all that was heard: it does so with what it decides."""
    end_s = clock() + SIGNED_S
    while not board.is_signed(wire.notes()):
        if clock() > end_s:
            if board.is_signed(wire.every_note()):  # many lie behind it
                return
            raise AskingError(
                "the audit tells what came of the command, and no controller signed that: somebody else may have "
                "written it; see 'driftline audit tail', and whether 'driftline controller' runs"
            )
        board.hears(wire.coming(POLL_S))


class _Told:
    """What the audit told of a command so far.

    Args:
        digests: of the command and of its envelope.
        target: digest of the command that it answers.
        offset: where the command lies.
    """

    def __init__(self, digests: Collection[str], target: str, offset: int) -> None:
        self._digests, self._target, self._offset = digests, target, offset
        self.outcome: Outcome | None = None
        self.is_whole = False
        self._preparing: AuditRecord | None = None

    def take(self, record: AuditRecord) -> None:
        """Take the next record."""
        if self.is_whole:
            return
        if self.outcome is None:
            about = record.command or (record.unread.digest if record.unread is not None else None)
            if about in self._digests or self._is_flooded(record):
                self.outcome = self._read(record)
                self.is_whole = self._preparing is None and record.event != "approved"
        elif self._preparing is None:  # what an approval leads to stands right behind it
            if record.command == self._target:
                self.outcome = replace(self.outcome, then=self._read(record))
            self.is_whole = self._preparing is None
        elif _is_end(record, self._preparing):
            self.outcome, self.is_whole = _with_end(self.outcome, _end(record, self._preparing)), True

    def _is_flooded(self, record: AuditRecord) -> bool:
        """Whether the command is one of those that are told of by number alone."""
        unread = record.unread if record.event == "unread" else None
        return unread is not None and unread.first_offset <= self._offset <= unread.last_offset

    def pause(self) -> None:
        """Say that nothing more is there for now: what an approval leads to is committed with it."""
        self.is_whole |= self.outcome is not None and self._preparing is None

    def _read(self, record: AuditRecord) -> Outcome:
        found = outcome_of(record)
        if found.event == "effective" and found.is_prepared:
            self._preparing = record
        return found


def _is_end(record: AuditRecord, preparing: AuditRecord) -> bool:
    """Whether the revision that is prepared ends with a record."""
    before = (record.deployment, record.revision_before)
    return before == (preparing.deployment, preparing.revision_after)


def _end(record: AuditRecord, preparing: AuditRecord) -> Outcome:
    """What is so afterwards stands by the command, or by others alone."""
    state = _state(record)
    is_so = state is not None and any(grant.command == preparing.envelope for grant in state.basis)
    return replace(outcome_of(record), event=ACTIVATED if is_so else CANCELLED)


def _with_end(outcome: Outcome, end: Outcome) -> Outcome:
    if outcome.then is not None:
        return replace(outcome, then=replace(outcome.then, ended=end))
    return replace(outcome, ended=end)


def _state(record: AuditRecord) -> ServingState | None:
    """What is so after a record; None where that is as it was."""
    text = (record.detail or {}).get("state")
    try:
        return ServingState.from_bytes(text.encode()) if text else None
    except msgspec.MsgspecError as error:
        raise AskingError(f"record {record.seq} of the audit tells of no state: {error}") from error
