"""Arrangement: which versions a state needs in memory, and the slots that it puts them in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from driftline.agents.control.grants import goes_back, plan_of
from driftline.agents.serving.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from driftline.agents.serving.slots import Loaded
    from driftline.schemas.control.command import ModelRef
    from driftline.schemas.control.serving_state import ServingState


def slots_of(state: ServingState, loaded: Mapping[ModelRef, Loaded]) -> Slots:
    """Give the slots of a state, those empty whose version is not in memory."""

    def of(ref: ModelRef | None) -> Loaded | None:
        return None if ref is None else loaded.get(ref)

    rollout, halt = state.rollout, state.halt
    return Slots(
        revision=state.revision,
        champion=of(state.champion),
        previous=of(state.previous),
        canary=of(rollout.model) if rollout is not None else None,
        rollout_id=rollout.rollout_id if rollout is not None else "",
        weight=rollout.weight if rollout is not None else 0,
        shadows=tuple(one for one in map(of, state.shadows) if one is not None),
        instead=of(halt.instead) if halt is not None else None,
        halted=_halted(state),
    )


def needed(state: ServingState) -> Iterable[ModelRef]:
    """Give what must be in memory for a state, the most urgent first; a previous champion only should.

    While a way back is being prepared nothing is loaded beside who answers: it would take time and room of that.
    """
    rollout = state.rollout
    beside = (state.champion, rollout.model if rollout is not None else None, *state.shadows)
    refs = (answers(state), *(() if goes_back(state) else beside))
    return dict.fromkeys(ref for ref in refs if ref is not None)


def answers(state: ServingState) -> ModelRef | None:
    """Give what must be in memory for callers to be answered as a state says; None when nobody is."""
    return state.champion if state.halt is None else state.halt.instead


def must_answer(state: ServingState, wanted: ModelRef) -> bool:
    """Whether a version is to answer callers, or is gone back to: all that answers nobody gives it room."""
    return wanted == answers(state) or (wanted in state.prepares and goes_back(state))


def spared(now: Slots, state: ServingState, wanted: ModelRef) -> Slots:
    """Give the slots that leave a version room: without what a state does not load, or may do without.

    What must answer needs the room of all that answers nobody; what is prepared by a plan that lets a rollback be cold
    needs that of the previous champion.
    """
    is_needed = must_answer(state, wanted)
    is_cold = wanted in state.prepares and plan_of(state, "change").cold_rollback

    def stays(one: Loaded | None, *, is_asked: bool = False) -> bool:
        return one is not None and one.ref in state.loaded and (is_asked or not is_needed)

    # In a halt neither the champion nor the canary answers anybody.
    has_canary = stays(now.canary, is_asked=now.halted is None)
    return replace(
        now,
        champion=now.champion if now.halted is None or stays(now.champion) else None,
        previous=now.previous if stays(now.previous) and not is_cold else None,
        canary=now.canary if has_canary else None,
        rollout_id=now.rollout_id if has_canary else "",
        weight=now.weight if has_canary else 0,
        shadows=tuple(one for one in now.shadows if stays(one)),
    )


def advice(now: Slots, state: ServingState, wanted: ModelRef) -> str:
    """Say what would make room for a version that found none, by what the slots hold still."""
    may_be_cold = wanted in state.prepares and now.previous is not None
    ways = (
        (now.instead is not None and state.halt is None, "halt serving without a version, then resume"),
        (may_be_cold, "ask again with --cold-rollback"),
        (bool(now.shadows), "retire a shadow"),
        (now.canary is not None, "roll the canary back"),
    )
    return "".join(f"{way}, or " for helps, way in ways if helps) + "give more memory"


def has_lost_canary(now: Slots, state: ServingState) -> bool:
    """Whether a canary answers that a state has no place for: not even while what it wants is still to be loaded."""
    rollout = state.rollout
    return now.canary is not None and now.canary.ref not in (state.champion, rollout and rollout.model)


def is_urgent(now: Slots, then: Slots, state: ServingState) -> bool:
    """Whether somebody is to answer no more: a halt, a canary taken back, an earlier champion again.

    Args:
        now: who answers.
        then: who will.
        state: that says so.
    """
    if then.halted is not None and (now.halted is None or now.instead is not then.instead):
        return True
    if now.canary is not None and then.canary is None and then.champion is not now.canary:
        return True
    return (
        now.champion is not None and then.champion is not now.champion and _goes_back(now.champion.ref, state)
    )


def _goes_back(before: ModelRef, state: ServingState) -> bool:
    """Whether a champion was taken back: by its stage, or because a command of this agent lets another one answer."""
    fallen = state.version(before)
    champion = None if state.champion is None else state.version(state.champion)
    by_controller = fallen is not None and fallen.stage == "rolled_back"
    return by_controller or (champion is not None and champion.stage != "champion")


def _halted(state: ServingState) -> str | None:
    if state.is_retired:
        return "it is retired"
    return None if state.halt is None else f"halted by {state.halt.by}: {state.halt.reason}"
