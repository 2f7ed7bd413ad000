"""Judge: what the policy and the deployment say to a command, given who has approved it so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.agents.control.effects import EFFECTS
from driftline.agents.control.errors import PolicyError
from driftline.agents.control.grants import asked
from driftline.agents.control.lifecycle import INTERRUPTING, At, begin, is_own, stage_of, tier_of
from driftline.agents.control.pending import Book, Waiting
from driftline.agents.control.policy import Answer, Policy, Question, usual_stage
from driftline.agents.control.size import too_large
from driftline.agents.control.soundness import sound
from driftline.agents.control.verdicts import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.agents.control.history import Rule
    from driftline.schemas.control.command import Command
    from driftline.schemas.control.serving_state import Grant, ServingState, Tier
    from driftline.schemas.control.trust import Person


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a command beyond the desk: the tier in the manifest that `register` brings."""

    tier: Tier | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What comes of a command.

    Attributes:
        refusal: why not, if not.
        lacking: how many more must approve.
        rules: of the policy, that decided.
        approvers: ids of the persons whose approvals were counted.
        approvals: JSON texts of the envelopes of those approvals.
        after: the deployment's next revision; None for an op that makes none.
        tier: by which it was judged; the strictest where none is known.
    """

    refusal: Refusal | None = None
    lacking: int = 0
    rules: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    approvals: tuple[str, ...] = ()
    after: ServingState | None = None
    tier: Tier = "high"


def judge(
    waiting: Waiting,
    rule: Rule,
    states: Mapping[str, ServingState],
    book: Book,
    facts: Facts | Refusal,
    at: At,
) -> Judgement:
    """Judge a command of a person: keys, policy, approvals, facts, the deployment, in this order."""
    command = waiting.command
    asker = waiting.asker(rule.ring)
    if asker is None:
        gone = f"no key of {waiting.by} that signed it counts any more"
        return Judgement(Refusal("unknown_key", gone))
    state = states.get(command.deployment)
    tier = tier_of(state, command, facts.tier if isinstance(facts, Facts) else None)
    # Who may approve is asked again too: a role may have been taken away since.
    counted = [
        (approval, person)
        for approval, person in waiting.counted(rule.ring)
        if rule.policy.ask(Question(person, "approve", command.deployment, tier)).allowed
    ]
    approved = [person for _, person in counted]
    grant = waiting.grant([approval for approval, _ in counted], tier)
    question = Question(
        asker,
        command.op,
        command.deployment,
        tier,
        # Of an unknown model nothing is denied for its stage: it is said to be unknown.
        stage_of(state, command) or usual_stage(command.op),
        approvers=len(approved),
        human_approvers=sum(one.kind == "human" for one in approved),
        age_s=_age_s(command, grant),
        break_glass=command.break_glass,
        own=is_own(state, command, asker.id),
    )
    answer, lacking = rule.policy.decide(question)
    if answer.errors or lacking is None:
        # Said before anything of the deployment is: who may not ask learns nothing of it.
        return Judgement(denied(answer), rules=answer.rules)
    made = facts if isinstance(facts, Refusal) else _made(command, grant, waiting.by, state, book, facts, at)
    if isinstance(made, Refusal):
        return Judgement(made, rules=answer.rules)
    return Judgement(
        lacking=lacking,
        rules=answer.rules,
        approvers=tuple(one.id for one in approved),
        approvals=grant.approvals,
        after=made,
        tier=tier,
    )


def _age_s(command: Command, grant: Grant) -> int:
    """How long after a command its last approval was given, as both are signed, s: whoever looks finds the same."""
    last_ms = max((asked(one).issued_at_ms for one in grant.approvals), default=command.issued_at_ms)
    return max(0, last_ms - command.issued_at_ms) // 1000


def may_vote(
    command: Command, voter: Person, rule: Rule, states: Mapping[str, ServingState], book: Book
) -> Refusal | None:
    """Why a person's approval or denial counts nothing; None when it counts."""
    refusal = book.vote(command.target, voter.id, is_denial=command.op == "deny")
    if refusal is not None:
        return refusal
    waiting, review = book.waiting(command.target), book.review(command.target)
    about = waiting.command.deployment if waiting is not None else "" if review is None else review.deployment
    if command.deployment not in ("", about):
        said = about or "the installation"
        return Refusal(
            "precondition_failed", f"the command of that digest is about {said}, not {command.deployment}"
        )
    if waiting is not None and waiting.by == voter.id:  # who asked takes it back, whatever else they may
        return None
    tier = tier_of(states.get(about), waiting.command if waiting is not None else command)
    answer = rule.policy.ask(Question(voter, command.op, about, tier))
    return None if answer.allowed else denied(answer)


def policy_fault(text: str) -> Refusal | None:
    """Why a text cannot be the policy; None when it can."""
    try:
        wrong = sound(Policy(text))
    except PolicyError as error:
        wrong = str(error)
    return None if wrong is None else Refusal("policy_error", wrong)


def denied(answer: Answer) -> Refusal:
    """The refusal of what the policy does not allow."""
    return Refusal("policy_error" if answer.errors else "forbidden", answer.sentence)


def _made(
    command: Command, grant: Grant, by: str, state: ServingState | None, book: Book, facts: Facts, at: At
) -> ServingState | Refusal | None:
    """The deployment after it; None for an op that changes none."""
    overdue = book.overdue(command.deployment, at.ms)
    if overdue is not None and command.op not in INTERRUPTING:
        return Refusal(
            "precondition_failed",
            f"{command.deployment} takes only halts and rollbacks until another person than {overdue.by} reviews "
            f"what was done with the glass broken: approve or deny {overdue.digest}",
        )
    full = book.no_more_glass() if command.break_glass else None
    if full is not None or command.op not in EFFECTS:
        return full
    made = begin(state, command, grant, by=by, at=at, tier=facts.tier or "high")
    return made if isinstance(made, Refusal) else too_large(command.op, state, made) or made
