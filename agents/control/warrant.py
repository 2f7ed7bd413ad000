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
    from collections.abc import Collection, Sequence

    from driftline.agents.control.history import History, Rule

ARRIVES_MS: Final = AHEAD_MS + 2 * LONGEST_MS
"""How long after it was issued a command or an approval may be judged, at most, ms; it is so once, when it comes."""
LATEST_MS: Final = LIMIT_MS + ARRIVES_MS
"""How long after it was issued a command that waits for approvals may take effect, at most, ms. A controller may
let those of a tier wait for less: what lapsed there the audit tells, and an agent believes it no more (`is_over`)."""


class WarrantError(ValueError):
    """A grant that warrants nothing; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class _Signer:
    """Who signed: ids that the one person may have had when it came, and their keys that did."""

    ids: frozenset[str]
    keys: frozenset[str]

    def at(self, rule: Rule) -> Person | None:
        """The person as trust has them at a time, if a key that signed is theirs then, by an id of when it came."""
        found = [one for name, one in rule.ring.persons_of(self.keys).items() if name in self.ids]
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class Warrant:
    """A command of a person that was approved as the policy wants.

    Attributes:
        command, digest: it, and the sha256 of its payload.
        by: id of the person who asked.
        approvers: ids of the persons who approved.
        votes: digests of the approvals that are shown.
        until_ms: when it may have taken effect at the latest, ms since 1970.
    """

    command: Command
    digest: str
    by: str
    approvers: tuple[str, ...]
    votes: tuple[str, ...]
    until_ms: int

    @property
    def expected(self) -> int:
        """The revision that it expected; -1 when it holds whatever the revision is."""
        return -1 if self.command.expected_revision is None else self.command.expected_revision

    def is_over(self, ended: Collection[str]) -> bool:
        """Whether it, or an approval that is shown, was denied, refused or lapsed: `ended` are digests of what was."""
        return any(one in ended for one in (self.digest, *self.votes))


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
    approvers: list[_Signer] = []
    votes: list[str] = []
    last_ms = command.issued_at_ms
    for text in grant.approvals:
        approval_envelope, approval = _read(text)
        if approval.op != "approve" or approval.target != envelope.digest:
            raise WarrantError("an approval is shown that is for another command")
        if approval.deployment not in ("", command.deployment):
            raise WarrantError("an approval is shown that is for another deployment")
        votes.append(approval_envelope.digest)
        signer = _signer(approval_envelope, approval, history, stood=stood)
        if signer is not None and signer.ids != asker.ids:
            approvers.append(signer)
            last_ms = max(last_ms, approval.issued_at_ms)
    if last_ms > command.issued_at_ms + LATEST_MS:
        raise WarrantError(f"a command to {command.op} is shown that was approved after it had lapsed")
    until_ms = last_ms + ARRIVES_MS
    for rule in history.between(last_ms - AHEAD_MS, until_ms):
        person = asker.at(rule)
        others = _others(rule, person, approvers)
        if person is not None and _allows(rule, command, person, others, tier, last_ms):
            ids = tuple(sorted(one.id for one in others))
            return Warrant(command, envelope.digest, person.id, ids, tuple(votes), until_ms)
    name, count = " or ".join(sorted(asker.ids)), len({one.ids for one in approvers})
    raise WarrantError(f"the policy does not let {name} {command.op} with {count} approvals at tier {tier}")


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
    ids: set[str] = set()
    keys: set[str] = set()
    most = 0
    # While the command was on its way, a key may have become known, or another person's, and clocks differ.
    for rule in history.between(command.issued_at_ms - AHEAD_MS, command.issued_at_ms + ARRIVES_MS):
        ring = rule.ring
        if command.audience != ring.state.trust.installation:
            raise WarrantError("a command for another installation is shown")
        try:
            signers = verified(envelope, ring.persons)
        except SignatureError as error:
            raise WarrantError(str(error)) from error
        counted = [one for one in signers if stood or not history.is_revoked(one)]
        persons = ring.persons_of(counted)
        most = max(most, len(persons))
        if len(persons) == 1:
            ids |= persons.keys()
            keys.update(counted)
    if most > 1 and not ids:
        raise WarrantError(f"{most} persons signed a {command.op}; one must")
    return _Signer(frozenset(ids), frozenset(keys)) if ids else None


def _others(rule: Rule, asker: Person | None, approvers: Sequence[_Signer]) -> tuple[Person, ...]:
    """The persons but the asker who approved, each once, as trust has them at a time."""
    found = (one.at(rule) for one in approvers)
    return tuple({one.id: one for one in found if one is not None and one != asker}.values())


def _allows(
    rule: Rule, command: Command, asker: Person, others: Sequence[Person], tier: Tier, last_ms: int
) -> bool:
    """Whether it takes effect by the roles and the policy of one time, as a controller judges it."""
    may = [
        one for one in others if rule.policy.ask(Question(one, "approve", command.deployment, tier)).allowed
    ]
    question = Question(
        asker,
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
