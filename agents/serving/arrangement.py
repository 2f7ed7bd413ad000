"""Arrangement: which versions a state needs in memory, and the slots that it puts them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.agents.control.grants import plan_of
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
    """Give what must be in memory for a state, the most urgent first; a previous champion only should."""
    halt, rollout = state.halt, state.rollout
    refs = (
        halt.instead if halt is not None else None,
        state.champion,
        rollout.model if rollout is not None else None,
        *state.shadows,
    )
    return dict.fromkeys(ref for ref in refs if ref is not None)


def is_cold(state: ServingState) -> bool:
    """Whether the command that is being prepared lets a rollback load its model again."""
    return plan_of(state, "change").cold_rollback


def _halted(state: ServingState) -> str | None:
    if state.is_retired:
        return "it is retired"
    return None if state.halt is None else f"halted by {state.halt.by}: {state.halt.reason}"
