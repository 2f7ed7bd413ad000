"""Logs of the audit for tests: the small installation of `signed`, its records, checkpoints and a witness."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from signed import command, key, signed, trust

from driftline.agents.audit.checkpoint import cosigned
from driftline.agents.audit.notes import Note
from driftline.agents.audit.record import digest
from driftline.agents.audit.report import Pins
from driftline.agents.audit.writer import AuditLog, begin
from driftline.agents.control.trust import changed, first_state
from driftline.schemas.control.command import Command
from driftline.schemas.control.trust import TrustState

NOON_MS = 1_800_000_000_000
WITNESS = "witness.example/1"
POLICY = "permit(principal, action, resource);"


@dataclass
class Book:
    """A log as it lies in its topic, and the notes beside it.

    Attributes:
        log: the writer.
        records: bytes of all records.
        notes: bytes of all notes.
        state: trust as it stands.
    """

    log: AuditLog
    records: list[bytes]
    notes: list[bytes] = field(default_factory=list)
    state: TrustState = field(default_factory=lambda: first_state(trust(), POLICY))

    @property
    def pins(self) -> Pins:
        """What is pinned of it."""
        return Pins(digest(self.records[0]))

    def write(self, event: str, **fields: Any) -> bytes:
        """Add a record, one second after the last."""
        made = self.log.append(event, NOON_MS + 1_000 * self.log.size, **fields)
        self.records.append(made)
        return made

    def decide(self, said: Command, *names: str, approvers: tuple[str, ...] = (), **over: Any) -> bytes:
        """Add the record of a command that took effect; the first name is the actor's."""
        envelope = signed(said, *names)
        answers = [signed(command("approve", target=envelope.digest), name) for name in approvers]
        given = {
            "op": said.op,
            "command": envelope.digest,
            "envelope": envelope.to_bytes().decode(),
            "actor": "" if names[0].startswith("root") else names[0],
            "approvals": tuple(one.to_bytes().decode() for one in answers),
            "approvers": approvers,
            "deployment": said.deployment,
            "model": said.model,
            "policy": self.state.policy,
            "trust": self.state.digest,
        }
        return self.write("effective", **{**given, **over})

    def change_trust(self, said: Command, *names: str) -> bytes:
        """Add the record of a change of trust that roots signed."""
        signers = frozenset(key(name).keyid for name in names)
        after = changed(self.state, said, signers, NOON_MS + 1_000 * self.log.size)
        assert isinstance(after, TrustState), after
        self.state = after
        return self.decide(said, *names)

    def checkpoint(self, *, witnessed: bool = True) -> Note:
        """Add a checkpoint, and the witness's."""
        note = self.log.checkpoint(key("checkpoint"))
        self.notes.append(note.to_bytes())
        if witnessed:
            note = cosigned(note, WITNESS, key("witness"), NOON_MS // 1_000 + self.log.size)
            self.notes.append(note.to_bytes())
        return note


def new_book(**over: Any) -> Book:
    """A log with its first record."""
    log, first = begin(trust(**over), POLICY, NOON_MS)
    return Book(log, [first], state=first_state(trust(**over), POLICY))


def filled(size: int, *, every: int = 10, witnessed: bool = True) -> Book:
    """A log of plain records with a checkpoint after each so many, and at its end."""
    book = new_book()
    for number in range(1, size):
        book.write("seen", deployment="churn", reasons=(f"number {number}",))
        if book.log.size % every == 0:
            book.checkpoint(witnessed=witnessed)
    if book.log.size % every:
        book.checkpoint(witnessed=witnessed)
    return book
