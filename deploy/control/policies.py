"""Policies as commands take them: a file, or the packaged one, and whether it can be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from driftline.agents.control.policy import (
    MAX_POLICY_BYTES,
    POLICY_OPS,
    Answer,
    Policy,
    Question,
    default_policy,
    usual_stage,
)
from driftline.agents.control.soundness import sound
from driftline.deploy.control.errors import AskingError
from driftline.deploy.control.files import text_of
from driftline.schemas.control.command import Op
from driftline.schemas.control.serving_state import Tier
from driftline.schemas.control.trust import Kind, Person
from driftline.schemas.sources import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def policy_of(path: Path | None) -> Policy:
    """The policy in a file, or the packaged one; raises PolicyError or AskingError when it cannot be read."""
    return default_policy() if path is None else Policy(text_of(path, MAX_POLICY_BYTES))


def usable(path: Path | None) -> Policy:
    """The policy in a file, or the packaged one, if an installation may have it.

    Raises:
        PolicyError: it cannot be read.
        AskingError: it is not sound; the sentence says why.
    """
    found = policy_of(path)
    wrong = sound(found)
    if wrong is not None:
        raise AskingError(f"the policy {path} cannot be set: {wrong}")
    return found


@dataclass(frozen=True, slots=True)
class Explained:
    """What a policy says to a question, and how many more humans must approve: None when no number would do."""

    answer: Answer
    lacking: int | None

    @property
    def sentence(self) -> str:
        """For people."""
        if self.answer.allowed or self.lacking is None:
            return self.answer.sentence
        return f"{self.answer.sentence}; allowed once {self.lacking} more approve"

    @property
    def table(self) -> dict[str, Any]:
        """For programs."""
        answer = self.answer
        return {
            "allowed": answer.allowed,
            "rules": list(answer.rules),
            "errors": list(answer.errors),
            "lacking": self.lacking,
        }


def somebody(roles: Sequence[str], *, is_system: bool) -> Person:
    """A person with some roles, for questions."""
    kind: Kind = "system" if is_system else "human"
    return Person(id="somebody", roles=tuple(roles), keys=(), kind=kind)


def explained(
    policy: Policy,
    op: str,
    person: Person,
    *,
    tier: str,
    stage: str | None,
    approvers: int,
    break_glass: bool,
    own: bool,
) -> Explained:
    """Ask a policy about somebody; raises AskingError for an op or a role that it does not know."""
    if op not in POLICY_OPS:
        raise AskingError(f"{op!r} is nothing that a policy is asked about{nearest(op, POLICY_OPS)}")
    for role in person.roles:
        if policy.roles and role not in policy.roles:
            raise AskingError(f"the policy speaks of no role {role!r}{nearest(role, policy.roles)}")
    question = msgspec.convert({"op": op, "tier": tier}, type=_Asked)
    asked = Question(
        person, question.op, "deployment", question.tier, stage or usual_stage(question.op), approvers=approvers,
        human_approvers=approvers, break_glass=break_glass, own=own,
    )  # fmt: skip
    return Explained(*policy.decide(asked))


class _Asked(msgspec.Struct):
    """What was said, as its types."""

    op: Op
    tier: Tier
