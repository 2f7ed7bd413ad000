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
_LONG_S: Final = 30 * 86_400


def sound(policy: Policy) -> str | None:
    """Say what is wrong with a policy as a whole; None when nothing is.

    A person must be able to stop a model: with every tier, some role must be allowed to halt alone, at once. No
    question that can be foreseen may make a rule err, or be denied at once and allowed later: what is denied is over.
    And what is allowed from some stage alone must be allowed from one together with the usual one, or it never is.
    Asked is as a human of all roles, in scope, approved by 0, 1, 2 and 8 humans; a rule that errs otherwise denies.
    """
    roles = policy.roles or ("any",)
    return _unstoppable(policy, roles) or _unanswered(policy, roles) or _never(policy, roles)


def _unstoppable(policy: Policy, roles: tuple[str, ...]) -> str | None:
    for tier, op in product(TIERS, HALTS):
        halting = (Question(_probe((role,)), op, "probe", tier) for role in roles)
        if not any(policy.ask(one).allowed for one in halting):
            return f"no role could {op} a deployment of tier {tier} without an approval"
    return None


def _unanswered(policy: Policy, roles: tuple[str, ...]) -> str | None:
    for one in _foreseen(roles):
        answer, later = policy.ask(one), policy.ask(replace(one, age_s=_LONG_S))
        for error in (*answer.errors, *later.errors):
            return f"a rule errs: {error}"
        if later.allowed and not answer.allowed:
            return f"a rule lets {one.op} at tier {one.tier} after a while alone, and what is denied at once is refused"
    return None


def _never(policy: Policy, roles: tuple[str, ...]) -> str | None:
    allowed = [one for one in _foreseen(roles) if policy.ask(one).allowed]
    met = {(one.op, one.tier) for one in allowed if policy.ask(replace(one, stage=_usual(one.op))).allowed}
    for one in allowed:
        usual = _usual(one.op)
        if (one.op, one.tier) not in met:
            return (
                f"a rule lets {one.op} at tier {one.tier} from the stage {one.stage!r} and none from {usual!r}, for "
                "which agents ask: they do not know the stage that was, and both must be allowed"
            )
    return None


def _usual(op: Op) -> str:
    return USUAL.get(op, "")


def _foreseen(roles: tuple[str, ...]) -> Iterator[Question]:
    """What may be asked, by somebody of all roles, at once, from each stage that an op takes a model in."""
    for op in POLICY_OPS:
        for stage, tier, n, broken in product(
            dict.fromkeys((_usual(op), *FROM.get(op, ()))), TIERS, (0, 1, 2, MOST_APPROVERS), (False, True)
        ):
            yield Question(
                _probe(roles), op, "probe", tier, stage, approvers=n, human_approvers=n, break_glass=broken
            )


def _probe(roles: tuple[str, ...]) -> Person:
    return Person(id="probe", roles=roles, keys=("A" * 43 + "=",))
