"""Warrant: a grant that was checked: who asked, who approved, and that the policy of its time allowed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from driftline.agents.control import shape
from driftline.agents.control.errors import SignatureError
from driftline.agents.control.grants import UNREADABLE
from driftline.agents.control.pending import LIMIT_MS
from driftline.agents.control.policy import Question, usual_stage
from driftline.agents.control.signing import verified
from driftline.schemas.control.command import AHEAD_MS, LONGEST_MS, Command, ModelRef
from driftline.schemas.control.envelope import COMMAND, Envelope
from driftline.schemas.control.serving_state import Grant, Tier
from driftline.schemas.control.trust import Person

if TYPE_CHECKING:
    from collections.abc import Collection

    from driftline.agents.control.history import History, Rule

ARRIVES_MS: Final = AHEAD_MS + 2 * LONGEST_MS
"""How long after it was issued a command may be decided first, at most, ms."""
LATEST_MS: Final = LIMIT_MS + ARRIVES_MS
"""How long after it was issued a command that waits for approvals may take effect, at most, ms. A controller may
let those of a tier wait for less: what lapsed there the audit tells, and an agent believes it no more (`ended`)."""


class WarrantError(ValueError):
    """A grant that warrants nothing; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class _Signer:
    """Who signed: the id of a person, and the keys of theirs that did."""

    id: str
    keys: frozenset[str]

    def at(self, rule: Rule) -> Person | None:
        """The person as trust has them at a time, if a key that signed is theirs then."""
        return rule.ring.persons_of(self.keys).get(self.id)


@dataclass(frozen=True, slots=True)
class Warrant:
    """A command of a person that was approved as the policy wants.

    Attributes:
        command, digest: it, and the sha256 of its payload.
        by: id of the person who asked.
        approvers: ids of the persons who approved.
    """

    command: Command
    digest: str
    by: str
    approvers: tuple[str, ...]

    @property
    def expected(self) -> int:
        """The revision that it expected; -1 when it holds whatever the revision is."""
        return -1 if self.command.expected_revision is None else self.command.expected_revision


def names(grant: Grant, model: ModelRef | None, ops: Collection[str]) -> bool:
    """Whether a grant is a command of some ops, for a model if one is given; raises WarrantError when it is none."""
    _, command = _read(grant.command)
    return command.op in ops and model in (None, command.model)


def warranted(grant: Grant, history: History, tier: Tier, *, stood: bool = False) -> Warrant:
    """Check a grant.

    Args:
        grant: as a state carries it.
        history: of trust and policy.
        tier: by which it is judged.
        stood: it was believed before: keys of it that were revoked since still count.

    Raises:
        WarrantError: a signature is false or of nobody who counts, it is meant for another installation, or at no time
            at which it could take effect do the roles and the policy of then allow it with these approvals.
    """
    envelope, command = _read(grant.command)
    asker = _signer(envelope, command, history, stood=stood)
    if asker is None:
        raise WarrantError(f"nobody whose key counts signed a {command.op}")
    counted: dict[str, _Signer] = {}
    last_ms = command.issued_at_ms
    for text in grant.approvals:
        approval_envelope, approval = _read(text)
        if approval.op != "approve" or approval.target != envelope.digest:
            raise WarrantError("an approval is shown that is for another command")
        if approval.deployment not in ("", command.deployment):
            raise WarrantError("an approval is shown that is for another deployment")
        signer = _signer(approval_envelope, approval, history, stood=stood)
        if signer is not None and signer.id != asker.id:
            counted[signer.id] = signer
            last_ms = max(last_ms, approval.issued_at_ms)
    if last_ms > command.issued_at_ms + LATEST_MS:
        raise WarrantError(f"a command to {command.op} is shown that was approved after it had lapsed")
    rules = history.between(last_ms - AHEAD_MS, last_ms + LATEST_MS)
    if not any(_allows(rule, command, asker, tuple(counted.values()), tier, last_ms) for rule in rules):
        raise WarrantError(
            f"the policy does not let {asker.id} {command.op} with {len(counted)} approvals at tier {tier}"
        )
    return Warrant(command, envelope.digest, asker.id, tuple(sorted(counted)))


def _read(text: str) -> tuple[Envelope, Command]:
    try:
        envelope = Envelope.from_bytes(text.encode())
        command = Command.from_bytes(envelope.body)
    except UNREADABLE as error:
        raise WarrantError(f"a grant holds no command: {error}") from error
    wrong = "its envelope is of another type" if envelope.payload_type != COMMAND else shape.fault(command)
    if wrong is not None:
        raise WarrantError(f"a grant holds no command: {wrong}")
    return envelope, command


def _signer(envelope: Envelope, command: Command, history: History, *, stood: bool) -> _Signer | None:
    """The one person who signed, by the trust of the time; None when their key is unknown, or revoked by now."""
    # A key may have become known while the command was on its way, and clocks differ.
    for rule in history.between(command.issued_at_ms - AHEAD_MS, command.issued_at_ms + LONGEST_MS):
        ring = rule.ring
        if command.audience != ring.state.trust.installation:
            raise WarrantError("a command for another installation is shown")
        try:
            signers = verified(envelope, ring.persons)
        except SignatureError as error:
            raise WarrantError(str(error)) from error
        keys = frozenset(one for one in signers if stood or not history.is_revoked(one))
        persons = ring.persons_of(keys)
        if len(persons) > 1:
            raise WarrantError(f"{len(persons)} persons signed a {command.op}; one must")
        if persons:
            return _Signer(next(iter(persons)), keys)
    return None


def _allows(
    rule: Rule, command: Command, asker: _Signer, approvers: tuple[_Signer, ...], tier: Tier, last_ms: int
) -> bool:
    """Whether it takes effect by the roles and the policy of one time, as a controller judges it."""
    person = asker.at(rule)
    if person is None:
        return False
    may = [
        one
        for one in (approver.at(rule) for approver in approvers)
        if one is not None and rule.policy.ask(Question(one, "approve", command.deployment, tier)).allowed
    ]
    question = Question(
        person,
        command.op,
        command.deployment,
        tier,
        usual_stage(command.op),
        approvers=len(may),
        human_approvers=sum(one.kind == "human" for one in may),
        age_s=(last_ms - command.issued_at_ms) // 1000,
        break_glass=command.break_glass,
    )
    return rule.policy.ask(question).allowed
