"""Stops: halts and their end, rollbacks, going back; none of it makes a model serve that was not approved."""

from __future__ import annotations

from driftline.agents.control.deeds import (
    Deed,
    known,
    model_of,
    nothing_serves,
    refuse,
    replace,
    staged,
    tiered,
)
from driftline.agents.control.grants import (
    CANARYS,
    earlier,
    gone_back,
    held,
    shadows_of,
    with_fallen,
    with_one,
    without,
)
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.command import ModelRef
from driftline.schemas.control.serving_state import Halt, ServingState


def halt_rollout(state: ServingState, deed: Deed) -> ServingState | Refusal:
    """Freeze the weights of a rollout."""
    rollout = state.rollout
    if rollout is None:
        return refuse(f"no rollout of {state.deployment} is under way")
    frozen = replace(rollout, paused=True, paused_revision=state.revision)
    # A resumption of before stays: who missed it believes by it that the rollout went on meanwhile.
    return replace(state, rollout=frozen, basis=with_one(state.basis, deed.grant, "pause"))


def halt_serving(state: ServingState, deed: Deed) -> ServingState | Refusal:
    """Stop serving, or let an earlier champion answer instead."""
    if state.champion is None:
        return nothing_serves(state)
    instead = deed.command.model
    if instead is not None and earlier(state.basis, instead) is None:
        return _never_was(instead)
    halt = Halt(reason=deed.command.reason, by=deed.by, revision=state.revision, instead=instead)
    basis = with_one(without(state.basis, "resumed-serving"), deed.grant, "halt")
    return replace(state, halt=halt, basis=basis)


def resume(state: ServingState, deed: Deed) -> ServingState | Refusal:
    """End a halt of serving, or of a rollout, whose step begins again."""
    if deed.command.target == "serving":
        if state.halt is None:
            return refuse(f"{state.deployment} is not halted")
        basis = with_one(without(state.basis, "halt"), deed.grant, "resumed-serving")
        return replace(state, halt=None, basis=basis)
    rollout = state.rollout
    if rollout is None or not rollout.paused:
        return refuse(f"no rollout of {state.deployment} is paused")
    # By a clock that is behind that of the controller before, the step would begin again before it began.
    since_ms = max(deed.now_ms, rollout.step_since_ms)
    going = replace(rollout, paused=False, step_since_ms=since_ms)
    basis = with_one(without(state.basis, "pause"), deed.grant, "resumed-rollout")
    return replace(state, rollout=going, basis=basis)


def rollback(state: ServingState, deed: Deed) -> ServingState | Refusal:
    """Take a rollout back, and make an earlier champion the champion again."""
    if state.champion is None:
        return nothing_serves(state)
    model = model_of(deed)
    if model == state.champion:
        if state.rollout is None:
            return refuse(f"version {model.version} answers all callers already")
        return without_rollout(state)
    if earlier(state.basis, model) is None:
        return _never_was(model)
    made = _back_to(without_rollout(state), model)
    return replace(made, basis=with_one(made.basis, deed.grant, "rollback"))


def without_rollout(state: ServingState) -> ServingState:
    """The state with its canary taken back, if there is one."""
    if state.rollout is None:
        return state
    made = staged(state, state.rollout.model, "rolled_back")
    return replace(made, rollout=None, basis=without(state.basis, *CANARYS))


def without_champion(state: ServingState) -> ServingState | Refusal:
    """The state with the previous champion in the champion's place again."""
    if state.previous is None or earlier(state.basis, state.previous) is None:
        return refuse(f"{state.deployment} has no previous champion that is still loaded")
    made, fallen = _back_to(without_rollout(state), state.previous), held(state, "champion")
    return made if fallen is None else replace(made, basis=with_fallen(made.basis, fallen))


def _back_to(state: ServingState, model: ModelRef) -> ServingState:
    """The state with an earlier champion as its champion, and the one before it rolled back."""
    fallen = state if state.champion is None else staged(state, state.champion, "rolled_back")
    shadows = tuple(one for one in state.shadows if one != model)
    made = replace(
        staged(fallen, model, "champion"),
        champion=model,
        previous=None,
        shadows=shadows,
        bake_until_ms=0,
        basis=shadows_of(gone_back(state.basis, model), shadows),
    )
    return tiered(made, known(state, model).tier)


def _never_was(model: ModelRef) -> Refusal:
    return refuse(
        f"version {model.version} is none of the last champions, which alone serve without new approvals: promote it"
    )
