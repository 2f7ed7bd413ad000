"""Effects: what each op makes of the state of a deployment, and the sentence when it cannot.

A model's path is registered, validated, shadow, canary, champion; a rollback makes it rolled_back, and it begins again
with a validation, unless people go back to it as an earlier champion. Which steps of the path may be left
out is the policy's business, by tier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.agents.control import stops
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
    shadows_of,
    succeeded,
    with_one,
    with_shadow,
    without,
    without_earlier,
)
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.command import Op, Plan
from driftline.schemas.control.serving_state import Rollout, ServingState, Stage, Version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_VERSIONS: Final = 64
MAX_SHADOWS: Final = 4
FROM: Final[Mapping[Op, tuple[Stage, ...]]] = {
    "validate": ("registered", "rolled_back"),
    "create": ("validated",),
    "shadow": ("validated",),
    "canary": ("validated", "shadow"),
    "promote": ("validated", "shadow", "canary", "champion"),
    # An earlier champion that was tried again as a canary and taken back is one that people can still go back to.
    "rollback": ("validated", "shadow", "canary", "champion", "rolled_back"),
    "halt-serving": ("validated", "shadow", "canary", "rolled_back"),
    "retire": ("registered", "validated", "shadow", "rolled_back"),
}
"""The stages of the named model in which an op may take it."""
_OVER: Final = ("retired", "rolled_back")
"""The stages of versions that make room for a new one, unless they are loaded."""


def effect(state: ServingState, deed: Deed) -> ServingState | Refusal:
    """Carry a command out on a state that nothing is being prepared in.

    Returns:
        The state after it, with the same revision, or why not.
    """
    if state.is_retired:
        return refuse(f"{state.deployment} is retired")
    op, model = deed.command.op, deed.command.model
    if op not in EFFECTS:
        return refuse(f"{op} changes nothing that serves")
    if model is not None and op != "register":
        found = state.version(model)
        if found is None:
            return refuse(
                f"{state.deployment} knows no version {model.version} with this manifest: register it first"
            )
        if found.stage not in FROM[op]:
            return refuse(
                f"version {model.version} is {found.stage}; {op} takes one that is {' or '.join(FROM[op])}"
            )
    return EFFECTS[op](state, deed)


def _register(state: ServingState, deed: Deed) -> ServingState | Refusal:
    model = model_of(deed)
    if any(one.model.version == model.version for one in state.versions):
        return refuse(f"{state.deployment} has a version {model.version} already: give this one another name")
    if deed.command.profile is None:
        return Refusal("malformed", "register names no profile")
    versions = state.versions
    if len(versions) >= MAX_VERSIONS:
        spare = next((one for one in versions if one.stage in _OVER and one.model not in state.loaded), None)
        if spare is None:
            return refuse(f"{state.deployment} knows {MAX_VERSIONS} versions, which is the most: retire one")
        versions = tuple(one for one in versions if one is not spare)
    made = Version(
        model=model, stage="registered", tier=deed.tier, profile=deed.command.profile, registered_by=deed.by
    )
    # Before anything serves, the strictest of what may come decides.
    deciding = state.tier if state.champion is not None else deed.tier
    return tiered(replace(state, versions=(*versions, made)), deciding)


def _validate(state: ServingState, deed: Deed) -> ServingState | Refusal:
    version = known(state, model_of(deed))
    if version.registered_by == deed.by:
        return Refusal(
            "forbidden", f"{deed.by} registered version {version.model.version}; another person validates it"
        )
    made = replace(version, stage="validated", validated_by=deed.by, evidence=deed.command.evidence)
    return replace(state, versions=tuple(made if one is version else one for one in state.versions))


def _create(state: ServingState, deed: Deed) -> ServingState | Refusal:
    if state.champion is not None:
        return refuse(
            f"{state.deployment} has a champion, version {state.champion.version}: promote another one"
        )
    version = known(state, model_of(deed))
    made = staged(state, version.model, "champion")
    basis = with_one(state.basis, deed.grant, "champion")
    return tiered(replace(made, champion=version.model, basis=basis), version.tier)


def _shadow(state: ServingState, deed: Deed) -> ServingState | Refusal:
    if state.champion is None:
        return nothing_serves(state)
    if len(state.shadows) >= MAX_SHADOWS:
        return refuse(
            f"{state.deployment} has {MAX_SHADOWS} shadows, which is the most: retire or promote one"
        )
    model = model_of(deed)
    made = staged(state, model, "shadow")
    return replace(made, shadows=(*state.shadows, model), basis=with_shadow(state.basis, deed.grant))


def _canary(state: ServingState, deed: Deed) -> ServingState | Refusal:
    if state.champion is None:
        return nothing_serves(state)
    if state.halt is not None:
        return refuse(f"{state.deployment} is halted: resume it first")
    if state.rollout is not None:
        return refuse(
            f"a rollout of version {state.rollout.model.version} is under way: promote it or roll it back first"
        )
    model, plan = model_of(deed), deed.command.plan
    if plan is None or not plan.steps:
        return Refusal("malformed", "canary has no plan with steps")
    shadows = tuple(one for one in state.shadows if one != model)
    rollout = Rollout(
        rollout_id=deed.command.command_id,
        model=model,
        weight=plan.steps[0].weight,
        step=0,
        step_since_ms=deed.now_ms,
        plan=plan,
    )
    basis = shadows_of(with_one(without(state.basis, *CANARYS), deed.grant, "rollout"), shadows)
    made = replace(staged(state, model, "canary"), rollout=rollout, shadows=shadows, basis=basis)
    return tiered(made, known(state, model).tier)


def _promote(state: ServingState, deed: Deed) -> ServingState | Refusal:
    version = known(state, model_of(deed))
    why = _not_promoted(state, deed, version)
    if state.champion is None or why is not None:
        return refuse(why or f"{state.deployment} has no champion yet: create it with its first one")
    if version.model == state.champion:
        # The same answers as before, by a grant whose keys count now; whoever went back to it need not count any more.
        basis = with_one(without(state.basis, "rollback"), deed.grant, "champion")
        bake_until_ms = 0 if state.previous is None else deed.now_ms + _bake_ms(deed)
        return replace(state, basis=basis, bake_until_ms=bake_until_ms)
    made = staged(staged(state, state.champion, "validated"), version.model, "champion")
    shadows = tuple(one for one in state.shadows if one != version.model)
    basis = succeeded(without(state.basis, *CANARYS), deed.grant)
    made = replace(
        made,
        champion=version.model,
        previous=state.champion,
        rollout=None,
        shadows=shadows,
        bake_until_ms=deed.now_ms + _bake_ms(deed),
        basis=shadows_of(basis, shadows),
    )
    return tiered(made, version.tier)


def _bake_ms(deed: Deed) -> int:
    return round((deed.command.plan or Plan()).bake_s * 1000)


def _not_promoted(state: ServingState, deed: Deed, version: Version) -> str | None:
    """Why a version does not become champion now; None when it does."""
    rollout = state.rollout
    if state.halt is not None:
        return f"{state.deployment} is halted: resume it first"
    if rollout is None or version.model == state.champion:
        return None
    if rollout.model != version.model:
        return f"a rollout of version {rollout.model.version} is under way: roll it back first"
    if rollout.paused:
        return "the rollout is halted: resume it first"
    if deed.command.break_glass or rollout.passed:
        return None
    step = f"step {rollout.step + 1} of {len(rollout.plan.steps)}"
    return f"{step} of the rollout has not passed yet: wait for its windows"


def _retire(state: ServingState, deed: Deed) -> ServingState | Refusal:
    model = deed.command.model
    if model is None:
        gone = tuple(replace(one, stage="retired") for one in state.versions)
        return replace(
            state, champion=None, previous=None, shadows=(), rollout=None, halt=None, versions=gone,
            is_retired=True, basis=with_one((), deed.grant, "retired"),
        )  # fmt: skip
    if model == state.previous:
        return refuse(f"version {model.version} is what a rollback goes back to until its bake time ends")
    if state.halt is not None and model == state.halt.instead:
        return refuse(f"version {model.version} answers while serving is halted: resume first")
    shadows = tuple(one for one in state.shadows if one != model)
    return replace(
        staged(state, model, "retired"),
        shadows=shadows,
        basis=shadows_of(without_earlier(state.basis, model), shadows),
    )


EFFECTS: Final[Mapping[Op, Callable[[ServingState, Deed], ServingState | Refusal]]] = {
    "register": _register,
    "validate": _validate,
    "create": _create,
    "shadow": _shadow,
    "canary": _canary,
    "promote": _promote,
    "rollback": stops.rollback,
    "halt-rollout": stops.halt_rollout,
    "halt-serving": stops.halt_serving,
    "resume": stops.resume,
    "retire": _retire,
}
"""The ops that change what serves."""
