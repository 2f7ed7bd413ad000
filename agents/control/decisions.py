"""Decision: what was decided at one place of the audit; the desk is nothing but the sum of its decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from driftline.agents.control.admission import Unsigned
from driftline.agents.control.flood import Flooded
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.command import Command
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.control.serving_state import ServingState
from driftline.schemas.control.trust import TrustState

if TYPE_CHECKING:
    from driftline.agents.control.history import History

Event: TypeAlias = Literal[
    "unsigned",
    "flooded",
    "rejected",
    "waits",
    "approved",
    "denied",
    "reviewed",
    "lapsed",
    "failed",
    "decided",
    "moved",
]
"""unsigned, flooded: bytes that no known key answers for, one or many; rejected: a command that is refused;
waits: one that lacks approvals; approved, denied, reviewed: a person's word about one; lapsed: one that waited too
long; failed: one that waited and cannot take effect; decided: one that takes effect; moved: a revision that the
controller makes of its own accord."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision, which is one record of the audit.

    Attributes:
        seq: place in the audit.
        at_ms: when it was decided, by the controller's clock, ms since 1970.
        event: what kind.
        by: id of the person who asked or spoke, `root`, or `controller`.
        command, envelope, digest: what was signed, and the digest of its payload.
        signers: ids of the keys whose signatures held.
        target: digest of the command that an approval, a denial or a review is about.
        approvers: ids of the persons whose approvals were counted.
        approvals: JSON texts of the envelopes of those approvals.
        lacking: how many more must approve (`waits`).
        until_ms: until when it waits, or is to be reviewed.
        refusal: why not (`rejected`, `denied`, `lapsed`, `failed`, `unsigned`).
        rules: of the policy, that decided.
        before, after: the deployment's state, where it changes.
        trust: the state of trust after it, where it changes.
        held: the state of trust before it.
        reason: why the controller moved.
        unsigned, flooded: what is known of bytes that nobody answers for.
    """

    seq: int
    at_ms: int
    event: Event
    by: str = ""
    command: Command | None = None
    envelope: Envelope | None = None
    digest: str = ""
    signers: frozenset[str] = frozenset()
    target: str = ""
    approvers: tuple[str, ...] = ()
    approvals: tuple[str, ...] = ()
    lacking: int = 0
    until_ms: int = 0
    refusal: Refusal | None = None
    rules: tuple[str, ...] = ()
    before: ServingState | None = None
    after: ServingState | None = None
    trust: TrustState | None = None
    held: TrustState | None = None
    reason: str = ""
    unsigned: Unsigned | None = None
    flooded: Flooded | None = None


def history_after(history: History, decision: Decision) -> History:
    """The history of trust after a decision that changes trust; a policy-set brings the policy's text."""
    if decision.trust is None:
        return history
    command = decision.command
    given = command.policy if command is not None and command.op == "policy-set" else None
    return history.then(decision.at_ms, decision.trust, given or history.now.policy.text)
