"""Tiers: how strictly what a state stands by is judged: as it was decided, which may be milder than what is so by now.

A deployment is of the strictest tier of what answered callers in it, before the first champion of what was registered,
and it never goes down. What was decided before it grew, and stands on, as a champion that can be gone back to, had the
approvals that it needed then. By which tier that was says the state; an agent holds against it the tier of the model,
and what the tier was at the revision that the person who asked has signed, as far as it knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from driftline.schemas.control.serving_state import TIERS, strictest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.agents.control.marks import Marks
    from driftline.schemas.control.command import Command, ModelRef
    from driftline.schemas.control.serving_state import Grant, ServingState, Tier


def answering(state: ServingState) -> frozenset[ModelRef]:
    """What answers callers in a state, or would once a halt ends; a shadow does not."""
    rollout = None if state.rollout is None else state.rollout.model
    instead = None if state.halt is None else state.halt.instead
    return frozenset(one for one in (state.champion, rollout, instead) if one is not None)


def tier_fault(state: ServingState, before: ServingState | None, known: Mapping[str, Tier]) -> str | None:
    """Say why a state cannot be of its tier; None when it can.

    It is below what answers callers in it, or below what it was; or not all of what serves is a known version, each of
    the tier that its manifest says. `known` are the tiers of manifests that are held and verified, by their digests.
    """
    for version in state.versions:
        found = known.get(version.model.manifest, version.tier)
        if found != version.tier:
            return f"version {version.model.version} is of tier {found}, not {version.tier}"
    if any(state.version(model) is None for model in state.loaded):
        return "a model serves that is no known version"
    answers = answering(state)
    of_models = [version.tier for version in state.versions if version.model in answers]
    floor = strictest(*(of_models or ["low"]), *(() if before is None else (before.tier,)))
    return f"the tier {state.tier} is below {floor}" if TIERS.index(state.tier) < TIERS.index(floor) else None


def judged_by(state: ServingState, grant: Grant, command: Command, marks: Marks | None = None) -> Tier:
    """The tier by which a grant is judged.

    Args:
        state: that carries it.
        grant: a command and its approvals.
        command: that of the grant.
        marks: of what was believed before; None where that was judged then.
    """
    version = None if command.model is None else state.version(command.model)
    decided = state.tier if isinstance(grant.tier, msgspec.UnsetType) else grant.tier
    floors = (() if version is None else (version.tier,)) + (
        () if marks is None else (marks.tier_at(command.expected_revision),)
    )
    return strictest(decided, *floors)
