"""Forgets: which records of the audit let a prediction be forgotten; Kafka does not tell who wrote them.

A record counts when it is of the chain that begins with the pinned genesis, and its command and approvals are signed by
persons whom it names, and whom trust and policy, as they stand at that record, allow it. The tier is the strictest that
any state of the deployment was told with so far: tiers only grow, so whoever adds records can have more approvals asked
for, and never fewer. Pure: nothing is kept but what the records say, and how far an earlier life followed them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from driftline.agents.audit.chain import BrokenError, Chain
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import EFFECTIVE, AuditRecord
from driftline.agents.audit.signatures import Signatures
from driftline.agents.control.ended import Ended
from driftline.agents.control.errors import PolicyError
from driftline.agents.control.grants import asked
from driftline.agents.control.history import History, Rule
from driftline.agents.control.policy import Policy
from driftline.agents.control.telling import EVENTS, heard
from driftline.agents.control.verdicts import one_line
from driftline.agents.control.warrant import WarrantError, warranted
from driftline.schemas.control.envelope import EnvelopeError
from driftline.schemas.control.serving_state import Grant, strictest
from driftline.schemas.forgets import Forget, Mark

if TYPE_CHECKING:
    from driftline.schemas.control.serving_state import Tier
    from driftline.schemas.forgets import Doubted

FORGET: Final = "forget"
_STATED: Final = (EFFECTIVE, EVENTS["moved"])
"""Events of records that tell of a state."""


class ForgetError(AuditError):
    """A record that would let a prediction be forgotten, and has not the leave."""


class Forgets:
    """The chain as it is followed.

    Args:
        genesis: the pinned digest of record 0.
        mark: how far an earlier life followed it: nothing is told before the same chain has come so far again.
    """

    def __init__(self, genesis: str, mark: Mark | None = None) -> None:
        self._chain, self._ended, self._signatures = Chain(genesis), Ended(), Signatures()
        self._now: History | None = None
        """Trust and policy after the last record, alone; None while there is no policy that can be read."""
        self._tiers: dict[str, Tier] = {}
        self._mark = mark
        self._held: list[Forget] = []

    @property
    def mark(self) -> Mark | None:
        """How far it was followed; None while that is not as far as before."""
        chain = self._chain
        return Mark(size=chain.size, head=chain.head) if self._mark is None and chain.size else None

    @property
    def doubt(self) -> str | None:
        """Why nothing is told, if all there is was heard; None when it is."""
        if self._mark is None:
            return None
        if self._chain.size < self._mark.size:
            return f"the audit has {self._chain.size:,} records; {self._mark.size:,} were followed before"
        return f"record {self._mark.size - 1} of the audit is another one than was followed before"

    def hear(self, data: bytes) -> tuple[Forget, ...]:
        """Take the next record.

        Returns:
            What is to be forgotten, by this record and by those that waited for the mark.

        Raises:
            AuditError: the record is not believed; the next one may be. `kind_of` says what is wrong.
        """
        size = self._chain.size
        try:
            self._held.extend(self._taken(data))
        finally:
            if self._mark is not None and self._chain.size == self._mark.size > size:
                self._mark = None if self._chain.head == self._mark.head else self._mark
        if self._mark is not None:
            return ()
        told, self._held = tuple(self._held), []
        return told

    def _taken(self, data: bytes) -> list[Forget]:
        """Take a record into the chain; give what it lets be forgotten."""
        before = self._chain.believed if self._chain.has_begun else None
        link = self._chain.take(data)
        self._ended.take(link.event, data)
        if self._chain.believed is not before:
            self._learn(AuditRecord.from_bytes(data))
        elif link.event == EFFECTIVE and link.op == FORGET:
            return [self._judged(AuditRecord.from_bytes(data))]
        elif link.event in _STATED:
            self._grow(AuditRecord.from_bytes(data))
        return []

    def _learn(self, record: AuditRecord) -> None:
        """Take in what trust and policy are from a record on; one whose policy cannot be read allows nothing."""
        held, self._now = self._now, None
        try:
            text = held.now.policy.text if held is not None else ""
            if self._chain.size == 1 and record.genesis is not None:
                text = record.genesis.policy
            elif record.op == "policy-set":
                text = asked(record.envelope or "").policy or ""
            policy = held.now.policy if held is not None and held.now.policy.text == text else Policy(text)
            self._now = History([Rule(record.decided_at_ms, self._chain.believed.ring, policy)])
        except (PolicyError, ValueError) as error:
            raise AuditError(
                f"no forget is believed from record {record.seq} on: its policy errs: {error}"
            ) from error

    def _grow(self, record: AuditRecord) -> None:
        """Take in the tier of the state that a record tells of."""
        told = heard(record)
        if told is not None and told.after is not None:
            name = told.after.deployment
            self._tiers[name] = strictest(told.after.tier, self._tiers.get(name, told.after.tier))

    def _judged(self, record: AuditRecord) -> Forget:
        """Give what a record lets be forgotten; raises ForgetError when it may not."""
        where = f"record {record.seq} asks to forget a prediction of {record.deployment or 'no deployment'}"
        if self._now is None:
            raise ForgetError(f"{where}, and no policy that can be read allows it")
        grant = Grant(of="change", command=record.envelope or "", approvals=record.approvals)
        tier = self._tiers.get(record.deployment, strictest())
        try:
            # As the controller judged it: keys, roles and policy are those of the record, not of when it was signed.
            found = warranted(grant, self._now, tier)
        except (WarrantError, EnvelopeError, msgspec.MsgspecError) as error:
            raise ForgetError(f"{where}: {error}") from error
        command = found.command
        if command.op != FORGET:
            raise ForgetError(f"{where}, and its envelope holds another command, to {command.op}")
        if command.deployment != record.deployment:
            raise ForgetError(f"{where}, and its command is about {command.deployment}")
        # A record may claim any time, but none before the trust that it is judged by.
        if found.is_over(self._ended.digests) or found.until_ms < max(
            record.decided_at_ms, self._now.now.since_ms
        ):
            raise ForgetError(
                f"{where} by a command, or with an approval, that was denied, refused or lapsed"
            )
        try:
            self._signatures.check(record, self._chain.believed)
        except AuditError as error:
            raise ForgetError(f"{where}: {error}") from error
        return Forget(
            seq=record.seq,
            deployment=command.deployment,
            target=command.target,
            decided_at_ms=record.decided_at_ms,
        )


def kind_of(error: AuditError) -> tuple[Doubted, str]:
    """Say in a word and in a sentence what is wrong with a record that is not believed."""
    kind: Doubted = (
        "chain" if isinstance(error, BrokenError) else "forget" if isinstance(error, ForgetError) else "trust"
    )
    return kind, one_line(str(error))
