"""Rollouts: what is due in one, and in the bake time after it, by what windows say; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from driftline.agents.control.controller.judging import Judgement, after, beside, covers
from driftline.agents.control.grants import UNREADABLE, goes_back, held, plan_of
from driftline.agents.control.moves import abandon, back, is_overdue, next_step
from driftline.agents.control.verdicts import Refusal, one_line

if TYPE_CHECKING:
    from driftline.agents.audit.record import Check
    from driftline.agents.control.controller.windows import Windows
    from driftline.agents.control.lifecycle import At
    from driftline.schemas.control.command import ModelRef
    from driftline.schemas.control.serving_state import ServingState
    from driftline.schemas.deployment import DeploymentSettings


class Due(NamedTuple):
    """A revision that the controller makes, why, and the comparisons that it rests on."""

    state: ServingState
    reason: str
    checks: tuple[Check, ...] = ()


def is_under_way(state: ServingState) -> bool:
    """Whether windows of a deployment decide something: in a rollout, or in a bake time."""
    return state.rollout is not None or state.previous is not None


def next_move(state: ServingState, windows: Windows, settings: DeploymentSettings, at: At) -> Due | None:
    """What is due; None while nothing is, and whenever nothing is known.

    A champion in its bake time comes first: it answers most callers, and what a canary is held against is no better.
    A change that is being prepared keeps no worse version serving: what is taken back ends it, as a person's halt does.
    A rollback that is being prepared is left alone: it says already what people want to be rid of. So is a state that
    stands by what cannot be read: agents believe none of it, and people halt or retire it.
    """
    try:
        if state.is_retired or goes_back(state):
            return None
        due = _of_bake(state, windows, settings, at) if state.previous is not None else None
        return due or _of_rollout(state, windows, settings, at)
    except UNREADABLE:
        return None


def _of_rollout(state: ServingState, windows: Windows, settings: DeploymentSettings, at: At) -> Due | None:
    rollout, champion = state.rollout, state.champion
    if rollout is None or champion is None:
        return None
    judged = beside(
        windows.of(state.deployment, rollout.model.version, "canary"),
        windows.of(state.deployment, champion.version, "champion"),
        (_profile(state, rollout.model), _profile(state, champion)),
        settings,
        rollout.step_since_ms,
    )
    step = f"step {rollout.step + 1} of {len(rollout.plan.steps)}"
    # One that has passed waits for people, and may still turn out to be worse: labels come late.
    if judged.evidence.verdict == "worse" and rollout.plan.automatic_rollback:
        return _due(
            abandon(state, at), f"taken back at {step}, worse than the champion: {judged.reason}", judged
        )
    if rollout.passed:
        return None
    if is_overdue(state, at.ms):
        waited = f"taken back at {step}: nothing was decided in {rollout.plan.max_wait_s:g} s"
        return _due(abandon(state, at), waited, judged)
    return _due(next_step(state, judged.evidence, at), f"{step} passed", judged)


def _of_bake(state: ServingState, windows: Windows, settings: DeploymentSettings, at: At) -> Due | None:
    champion, previous = state.champion, state.previous
    if champion is None or previous is None or held(state, "champion") is None or state.halt is not None:
        return None
    since_ms = state.bake_until_ms - round(plan_of(state, "champion").bake_s * 1000)
    new = windows.of(state.deployment, champion.version, "champion")
    shadow = windows.of(state.deployment, previous.version, "shadow")
    profiles = _profile(state, champion), _profile(state, previous)
    # Asked as a shadow it answers the same callers: what makes their days hard is hard for both.
    judged = beside(new, shadow, profiles, settings, since_ms, both_began=True)
    if judged.evidence.verdict == "wait" and not covers(shadow, new, profiles, since_ms):
        old = windows.of(state.deployment, previous.version, "champion")
        judged = after(new, old, profiles, settings, since_ms)
    if judged.evidence.verdict != "worse":
        return None
    return _due(back(state, at), f"gone back, worse than the champion before: {judged.reason}", judged)


def _due(made: ServingState | Refusal, reason: str, judged: Judgement) -> Due | None:
    return None if isinstance(made, Refusal) else Due(made, one_line(reason), judged.checks)


def _profile(state: ServingState, model: ModelRef) -> str:
    version = state.version(model)
    return "" if version is None else version.profile
