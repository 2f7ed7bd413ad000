"""Soundness: whether an installation can live with a policy; asked before one is set, by all that may be asked."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Final

from driftline.agents.control.effects import FROM
from driftline.agents.control.policy import MOST_APPROVERS, POLICY_OPS, Policy, Question, usual_stage
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
    for tier, op in product(TIERS, HALTS):
        alone = (Question(_probe((role,)), op, "probe", tier) for role in roles)
        if not any(policy.ask(one).allowed for one in alone):
            return f"no role could {op} a deployment of tier {tier} without an approval"
    together = _Asked(policy, roles)
    each = (_Asked(policy, (role,)) for role in roles[:MOST_ROLES])
    faults = (one.fault or one.never(together) for one in (together, *each))
    return next((one for one in faults if one is not None), None)


class _Asked:
    """What a policy answers a person of some roles: at once, after a long while, and from the usual stage."""

    def __init__(self, policy: Policy, roles: tuple[str, ...]) -> None:
        asked = list(_foreseen(roles))
        later = [replace(one, age_s=_LONG_S) for one in asked]
        usual = [replace(one, stage=usual_stage(one.op)) for one in asked]
        answers = (policy.ask_each(many) for many in (asked, later, usual))
        self._whole = list(zip(asked, *answers, strict=True))
        self.met = {(one.op, one.tier) for one, now, _, also in self._whole if now.allowed and also.allowed}

    @property
    def fault(self) -> str | None:
        """What errs, or is denied at once and allowed later."""
        for one, now, after, _ in self._whole:
            for error in (*now.errors, *after.errors):
                return f"a rule errs: {error}"
            if after.allowed and not now.allowed:
                return (
                    f"a rule lets {one.op} at tier {one.tier} after a while alone, and what is denied at once is "
                    "refused"
                )
        return None

    def never(self, together: _Asked) -> str | None:
        """What is allowed to these roles from some stage and never is, not even beside all other roles."""
        for one, now, _, _ in self._whole:
            if now.allowed and (one.op, one.tier) not in self.met | together.met:
                usual = repr(usual_stage(one.op)) if usual_stage(one.op) else "no stage at all ('')"
                return (
                    f"a rule lets {one.op} at tier {one.tier} from the stage {one.stage!r} and none from {usual}, for "
                    "which agents ask: they do not know the stage that was, and both must be allowed"
                )
        return None


def _foreseen(roles: tuple[str, ...]) -> Iterator[Question]:
    """What may be asked, by somebody of these roles, at once, from each stage that an op takes a model in."""
    for op in POLICY_OPS:
        stages = dict.fromkeys((usual_stage(op), *FROM.get(op, ())))
        for stage, tier, n, broken in product(stages, TIERS, (0, 1, 2, MOST_APPROVERS), (False, True)):
            yield Question(
                _probe(roles), op, "probe", tier, stage, approvers=n, human_approvers=n, break_glass=broken
            )


def _probe(roles: tuple[str, ...]) -> Person:
    return Person(id="probe", roles=roles, keys=("A" * 43 + "=",))
