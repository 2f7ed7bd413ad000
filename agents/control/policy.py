"""Policy: Cedar rules that decide who may do what, and say which of them decided.

Cedar fails open: a rule that errs is skipped, and a `forbid` that is skipped forbids nothing. So an answer with any
diagnostic is a denial here; all that rules read is computed outside and required by the schema.
Source: https://docs.cedarpolicy.com, 4.x.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import cedarpy

from driftline.agents.control.errors import PolicyError
from driftline.agents.control.trust import ROOT_OPS, covers, policy_digest
from driftline.schemas.control.command import OPS, Op
from driftline.schemas.control.serving_state import Stage, Tier
from driftline.schemas.control.trust import Person

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POLICY_OPS: Final = tuple(op for op in OPS if op not in ROOT_OPS)
MOST_APPROVERS: Final = 8
"""A policy that asks for more persons asks for what nobody has: envelopes of a state would not hold them."""
MAX_POLICY_BYTES: Final = 32 * 1024
MAX_DEPTH: Final = 64
"""Of brackets in brackets: Cedar's parser recurses, and some ten thousand end the process."""

_USUAL: Final[Mapping[Op, Stage]] = {
    "validate": "registered",
    "create": "validated",
    "shadow": "validated",
    "canary": "shadow",
    "promote": "canary",
}

_ROLE: Final = re.compile(r'\bRole\s*::\s*"([^"]{1,100})"')
_ESCAPED: Final = re.compile(r'\bRole\s*::\s*"[^"]*\\')
_QUOTED: Final = re.compile(r'"(?:\\.|[^"\\])*"|//[^\r\n]*', re.DOTALL)


def usual_stage(op: Op) -> str:
    """The stage that an op finds its model in on the longest path: to ask about models of unknown stage."""
    return _USUAL.get(op, "")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, with all that rules may read.

    Attributes:
        person: who asks.
        op: what for.
        deployment: which one; empty for the installation.
        tier: the stricter one of the deployment's and the model's.
        stage: of the model; empty where none is meant.
        approvers, human_approvers: distinct persons who approved, without the one who asks.
        age_s: from when it was asked for to the last approval that counts, as both are signed.
        break_glass: whether approvals and bake time are to be lifted, and nothing else.
        own: whether the person validates what they registered.
    """

    person: Person
    op: Op
    deployment: str
    tier: Tier
    stage: Stage | str = ""
    approvers: int = 0
    human_approvers: int = 0
    age_s: int = 0
    break_glass: bool = False
    own: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether, by which rules, and what went wrong in deciding; anything that went wrong is a denial."""

    allowed: bool
    rules: tuple[str, ...]
    errors: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Why, for people."""
        if self.errors:
            return f"the policy errs, which denies: {self.errors[0]}"
        by = " and ".join(repr(rule) for rule in self.rules)
        if self.allowed:
            return f"allowed by the rule {by}"
        return f"denied by the rule {by}" if by else "no rule of the policy allows it"


class Policy:
    """A policy that was read and held against the schema.

    Args:
        text: Cedar.

    Raises:
        PolicyError: it is too long or nested too deep, cannot be read, holds templates, or
            contradicts the schema.
    """

    def __init__(self, text: str) -> None:
        size = len(text.encode())
        if size > MAX_POLICY_BYTES:
            raise PolicyError(f"the policy has {size:,} bytes; {MAX_POLICY_BYTES:,} are allowed")
        depth = _depth(text)
        if depth > MAX_DEPTH:
            raise PolicyError(f"the policy nests {depth} brackets; {MAX_DEPTH} are allowed")
        if _ESCAPED.search(text):
            raise PolicyError("the policy writes a role with an escape: write its letters")
        self.roles: Final = tuple(sorted(set(_ROLE.findall(text))))
        """Those it speaks of."""
        found = cedarpy.validate_policies(text, schema_text())
        if not found.validation_passed:
            raise PolicyError(f"the policy cannot be used: {'; '.join(str(one) for one in found.errors[:3])}")
        self.text: Final = text
        self.digest: Final = policy_digest(text)
        self._rules = cedarpy.PolicySet.from_str(text)
        if self._rules.templates():
            raise PolicyError("the policy holds templates, which nothing fills in: write each rule out")

    def ask(self, question: Question) -> Answer:
        """Decide a question."""
        return self.ask_each((question,))[0]

    def ask_each(self, questions: Sequence[Question]) -> list[Answer]:
        """Decide questions of one person about one deployment; many together take half the time."""
        person, name = questions[0].person, {"type": "Deployment", "id": questions[0].deployment}
        who = {"type": "Person", "id": person.id}
        requests = [
            {
                "principal": who,
                "action": {"type": "Action", "id": one.op},
                "resource": name,
                "context": {
                    "tier": one.tier,
                    "stage": one.stage,
                    "approvers": one.approvers,
                    "human_approvers": one.human_approvers,
                    "age_s": one.age_s,
                    "break_glass": one.break_glass,
                    "in_scope": covers(person.deployments, one.deployment),
                    "own": one.own,
                },
            }
            for one in questions
        ]
        entities: list[dict[str, Any]] = [
            {
                "uid": who,
                "attrs": {"kind": person.kind},
                "parents": [{"type": "Role", "id": role} for role in person.roles],
            },
            {"uid": name, "attrs": {}, "parents": []},
        ]
        return [
            _answer(one) for one in cedarpy.is_authorized_batch(requests, self._rules, entities, _schema())
        ]

    def lacking(self, question: Question) -> int | None:
        """How many more humans must approve before it is allowed: 0 for none; None if no number would do."""
        for more in range(MOST_APPROVERS + 1):
            approved = replace(
                question,
                approvers=question.approvers + more,
                human_approvers=question.human_approvers + more,
            )
            if self.ask(approved).allowed:
                return more
        return None

    def decide(self, question: Question) -> tuple[Answer, int | None]:
        """Decide a question as it is and as agents ask it, who see no stage but the usual one: both must allow it.

        Returns:
            The stricter answer, and how many more humans must approve: 0 for none; None if no number would do.
        """
        answer, lacking = Answer(allowed=True, rules=()), 0
        for one in dict.fromkeys((replace(question, stage=usual_stage(question.op)), question)):
            found = self.ask(one)
            more = 0 if found.allowed else self.lacking(one)
            if more is None:
                return found, None
            if more > lacking or lacking == 0:
                answer, lacking = found, max(more, lacking)
        return answer, lacking


def _answer(result: cedarpy.AuthzResult) -> Answer:
    named = result.diagnostics.id_annotations_by_reason
    rules = tuple(sorted(named.get(one) or one for one in result.diagnostics.reasons))
    errors = tuple(str(one) for one in result.diagnostics.errors)
    return Answer(result.allowed and not errors, rules, errors)


def default_policy() -> Policy:
    """The policy that an installation begins with."""
    return Policy(_packaged("default.cedar"))


def schema_text() -> str:
    """The schema that every policy is held against, in Cedar's own form."""
    return _packaged("schema.cedarschema")


def _depth(text: str) -> int:
    """How deep brackets lie in one another, outside strings and comments."""
    deepest = depth = 0
    for sign in re.findall(r"[(\[{)\]}]", _QUOTED.sub("", text)):
        depth = depth + 1 if sign in "([{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


@cache
def _schema() -> cedarpy.Schema:
    return cedarpy.Schema.from_str(schema_text())


def _packaged(name: str) -> str:
    return files("driftline.agents.control").joinpath("policies", name).read_text(encoding="utf-8")
