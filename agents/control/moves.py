"""Moves: what the controller does of its own accord, by its signature alone, along the plan that people signed.

The next weight, the weight taken back to nothing, back to the previous champion; and the end of the bake time.
Nothing here makes a model serve that no person asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from driftline.agents.control.deeds import refuse
from driftline.agents.control.grants import plan_of
from driftline.agents.control.lifecycle import At, cancel
from driftline.agents.control.stops import without_champion, without_rollout
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.serving_state import Rollout, ServingState

Verdict: TypeAlias = Literal["pass", "worse", "wait"]
replace = msgspec.structs.replace


@dataclass(frozen=True, slots=True)
class Evidence:
    """What mature windows say of a canary.

    Attributes:
        verdict: `wait` whenever a figure that the step asks for is missing or not sure.
        rows: predictions of the canary since the step began.
        profile: digest of the profile that the windows were made with.
    """

    verdict: Verdict
    rows: int
    profile: str


def next_step(state: ServingState, evidence: Evidence, at: At) -> ServingState | Refusal:
    """Move a rollout on by one step, or say that its last one passed."""
    rollout = state.rollout
    if rollout is None:
        return refuse(f"no rollout of {state.deployment} is under way")
    why = _stays(state, rollout, evidence, at.ms)
    if why is not None:
        return refuse(f"step {rollout.step + 1} of the rollout stays: {why}")
    made, step = cancel(state, at), rollout.step + 1
    if step == len(rollout.plan.steps):
        return replace(made, rollout=replace(rollout, passed=True))
    weight = rollout.plan.steps[step].weight
    return replace(made, rollout=replace(rollout, step=step, weight=weight, step_since_ms=at.ms))


def is_overdue(state: ServingState, now_ms: int) -> bool:
    """Whether a step, paused or not, has lasted longer than its plan lets it wait."""
    rollout = state.rollout
    if rollout is None or rollout.passed:
        return False
    return now_ms - rollout.step_since_ms > rollout.plan.max_wait_s * 1000


def abandon(state: ServingState, at: At) -> ServingState | Refusal:
    """Take the weight of a rollout back to nothing, which ends it; a change that is being prepared ends too."""
    if state.rollout is None:
        return refuse(f"no rollout of {state.deployment} is under way")
    return without_rollout(cancel(state, at))


def back(state: ServingState, at: At) -> ServingState | Refusal:
    """Go back to the previous champion, which is still loaded, where the plan of the promotion lets windows decide."""
    if state.previous is not None and not plan_of(state, "champion").automatic_rollback:
        return refuse("the plan of the promotion leaves going back to people")
    return without_champion(cancel(state, at))


def baked(state: ServingState, at: At) -> ServingState | Refusal:
    """Let the previous champion go, once its bake time is over."""
    if state.previous is None:
        return refuse(f"{state.deployment} holds no previous champion")
    if at.ms < state.bake_until_ms:
        return refuse(f"the bake time lasts {state.bake_until_ms - at.ms:,} ms more")
    if state.phase == "prepare":
        return refuse(f"revision {state.revision} is still being prepared")
    made = cancel(state, at)
    return replace(made, previous=None, bake_until_ms=0)


def _stays(state: ServingState, rollout: Rollout, evidence: Evidence, now_ms: int) -> str | None:
    """Why a step does not pass; None when it does."""
    if not 0 <= rollout.step < len(rollout.plan.steps):
        return "its plan has no such step"
    step, version = rollout.plan.steps[rollout.step], state.version(rollout.model)
    least = max(1, step.min_rows)
    checks = (
        (rollout.passed, "it was the last one, and has passed"),
        (state.phase == "prepare", f"revision {state.revision} is still being prepared"),
        (state.halt is not None or rollout.paused, "it is halted"),
        (now_ms < rollout.step_since_ms + round(step.bake_s * 1000), f"it lasts {step.bake_s:g} s at least"),
        (
            version is None or evidence.profile != version.profile,
            "its windows were made with another profile than the registered one",
        ),
        (evidence.rows < least, f"it has {evidence.rows:,} rows; {least:,} are needed"),
        (evidence.verdict != "pass", f"its windows say {evidence.verdict!r}"),
    )
    return next((why for stays, why in checks if stays), None)
