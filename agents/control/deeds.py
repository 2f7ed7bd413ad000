"""Deeds: an admitted command on its way into the state, and what all effects share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.command import Command, ModelRef
from driftline.schemas.control.serving_state import Grant, ServingState, Stage, Tier, Version, strictest

STALE_S: Final[dict[Tier, float]] = {"low": 7 * 86_400.0, "medium": 86_400.0, "high": 6 * 3_600.0}
"""How long agents serve on without news, by tier, s."""

replace = msgspec.structs.replace


@dataclass(frozen=True, slots=True)
class Deed:
    """A command as it is carried out.

    Attributes:
        command: whose op `EFFECTS` holds.
        grant: its envelope and approvals.
        by: id of the person who asked.
        now_ms: ms since 1970.
        tier: of the manifest of a model that is registered; nothing else looks at it.
    """

    command: Command
    grant: Grant
    by: str
    now_ms: int
    tier: Tier


def refuse(sentence: str) -> Refusal:
    """A state that a deed does not fit."""
    return Refusal("precondition_failed", sentence)


def nothing_serves(state: ServingState) -> Refusal:
    """The refusal of what needs a champion."""
    return refuse(f"nothing serves in {state.deployment} yet: create it first")


def first(deployment: str, tier: Tier) -> ServingState:
    """The state that the first revision of a deployment is made of."""
    return tiered(
        ServingState(deployment=deployment, revision=1, audit_seq=0, decided_at_ms=0, tier=tier), tier
    )


def tiered(state: ServingState, tier: Tier) -> ServingState:
    """The state of a deployment that a model of this tier comes to: its tier grows, and never goes down."""
    tier = strictest(state.tier, tier)
    return replace(state, tier=tier, max_stale_s=STALE_S[tier])


def staged(state: ServingState, model: ModelRef, stage: Stage) -> ServingState:
    """The state with one version at another stage."""
    versions = tuple(replace(one, stage=stage) if one.model == model else one for one in state.versions)
    return replace(state, versions=versions)


def model_of(deed: Deed) -> ModelRef:
    """The model that a command names, whose shape was checked; raises ValueError when it names none."""
    if deed.command.model is None:
        raise ValueError(f"{deed.command.op} names no model")
    return deed.command.model


def known(state: ServingState, model: ModelRef) -> Version:
    """A version that `effect` has looked for already; raises ValueError when there is none."""
    found = state.version(model)
    if found is None:
        raise ValueError(f"{state.deployment} knows no version {model.version}")
    return found
