"""Soundness: whether an installation can live with a policy; asked before one is set, by all that may be asked."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Final

from driftline.agents.control.effects import FROM
from driftline.agents.control.policy import MOST_APPROVERS, POLICY_OPS, USUAL, Policy, Question
from driftline.schemas.control.serving_state import TIERS
from driftline.schemas.control.trust import Person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driftline.schemas.control.command import Op

HALTS: Final[tuple[Op, ...]] = ("halt-rollout", "halt-serving")
MOST_ROLES: Final = 16
"""That are asked as alone: each takes a sixth of a second."""
_LONG_S: Final = 30 * 86_400


def sound(policy: Policy) -> str | None:
    """Say what is wrong with a policy as a whole; None when nothing is.

    A person must be able to stop a model: with every tier, some role must be allowed to halt alone, at once. No
    question that can be foreseen may make a rule err, or be denied at once and allowed later: what is denied is over.
    And what is allowed from some stage alone must be allowed from one together with the usual one, or it never is.
    Asked is as a human of each role (the first 16), and of all; in scope, approved by 0, 1, 2 and 8 humans. A rule that
    errs otherwise denies.
    """
    roles = policy.roles or ("any",)
    alone = tuple((role,) for role in roles[:MOST_ROLES])
    for tier, op in product(TIERS, HALTS):
        if not any(policy.ask(Question(_probe(one), op, "probe", tier)).allowed for one in alone):
            return f"no role could {op} a deployment of tier {tier} without an approval"
    faults = (_fault(policy, one) for one in dict.fromkeys((*alone, roles)))
    return next((one for one in faults if one is not None), None)


def _fault(policy: Policy, roles: tuple[str, ...]) -> str | None:
    """What is wrong with what a policy says to a person of some roles."""
    asked = list(_foreseen(roles))
    answers = policy.ask_each(asked)
    later = policy.ask_each([replace(one, age_s=_LONG_S) for one in asked])
    usual = policy.ask_each([replace(one, stage=_usual(one.op)) for one in asked])
    for one, at_once, after in zip(asked, answers, later, strict=True):
        for error in (*at_once.errors, *after.errors):
            return f"a rule errs: {error}"
        if after.allowed and not at_once.allowed:
            return f"a rule lets {one.op} at tier {one.tier} after a while alone, and what is denied at once is refused"
    whole = list(zip(asked, answers, usual, strict=True))
    met = {(one.op, one.tier) for one, answer, also in whole if answer.allowed and also.allowed}
    for one, answer, _ in whole:
        if answer.allowed and (one.op, one.tier) not in met:
            return (
                f"a rule lets {one.op} at tier {one.tier} from the stage {one.stage!r} and none from "
                f"{_usual(one.op)!r}, for which agents ask: they do not know the stage that was, and both must be "
                "allowed"
            )
    return None


def _usual(op: Op) -> str:
    return USUAL.get(op, "")


def _foreseen(roles: tuple[str, ...]) -> Iterator[Question]:
    """What may be asked, by somebody of these roles, at once, from each stage that an op takes a model in."""
    for op in POLICY_OPS:
        stages = dict.fromkeys((_usual(op), *FROM.get(op, ())))
        for stage, tier, n, broken in product(stages, TIERS, (0, 1, 2, MOST_APPROVERS), (False, True)):
            yield Question(
                _probe(roles), op, "probe", tier, stage, approvers=n, human_approvers=n, break_glass=broken
            )


def _probe(roles: tuple[str, ...]) -> Person:
    return Person(id="probe", roles=roles, keys=("A" * 43 + "=",))
