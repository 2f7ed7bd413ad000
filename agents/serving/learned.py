"""Learned: trust and policy as an agent knows them, from the records of the audit that change them."""

from __future__ import annotations

from dataclasses import dataclass

from driftline.agents.audit.believed import Believed
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.control.errors import PolicyError
from driftline.agents.control.grants import asked
from driftline.agents.control.history import History
from driftline.agents.serving.errors import ServingError


@dataclass(frozen=True, slots=True)
class Learned:
    """What held when.

    Attributes:
        trust: the keys in force.
        history: of trust and policy.
    """

    trust: Believed
    history: History

    @classmethod
    def first(cls, text: str, genesis: str) -> Learned:
        """What record 0 lays down; raises ServingError when it is not the pinned one, AuditError when it is none."""
        data = text.encode()
        record = AuditRecord.from_bytes(data)
        if digest(data) != genesis or record.genesis is None:
            raise ServingError("what this agent kept is of another installation: give it another state_dir")
        trust = Believed.first(record)
        return cls(trust, History.of(trust.state, record.genesis.policy, record.decided_at_ms))

    def after(self, text: str) -> Learned:
        """What holds after a record that changes it; raises AuditError when it cannot."""
        record = AuditRecord.from_bytes(text.encode())
        trust = self.trust.after(record)
        given = asked(record.envelope or "").policy if record.op == "policy-set" else None
        policy = self.history.now.policy.text if given is None else given
        try:
            return Learned(trust, self.history.then(record.decided_at_ms, trust.state, policy))
        except PolicyError as error:
            raise AuditError(f"the audit sets a policy that is none: {error}") from error
