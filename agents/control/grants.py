"""Grants: the envelopes that a state carries for all that stands in it, put in and taken out as it changes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.schemas.control.command import Command, ModelRef, Op, Plan
from driftline.schemas.control.envelope import Envelope, EnvelopeError
from driftline.schemas.control.serving_state import Grant, ServingState, Standing

if TYPE_CHECKING:
    from collections.abc import Iterable

UNREADABLE: Final = (EnvelopeError, msgspec.MsgspecError, UnicodeEncodeError)
"""What reading a grant raises that holds no command."""
Basis = tuple[Grant, ...]
CANARYS: Final[tuple[Standing, ...]] = ("rollout", "pause", "resumed-rollout")
"""What goes when a rollout does."""
CHAMPIONS: Final[tuple[Op, ...]] = ("create", "promote")
"""What makes a version champion."""
MAX_EARLIER: Final = 3
"""Champions before this one that a rollback may go back to without the approvals of a promotion."""
MAX_FALLEN: Final = 3
"""Champions that windows went back from, whose plans are shown to whoever missed them."""


@lru_cache(maxsize=512)
def asked(command: str) -> Command:
    """The command in the JSON text of an envelope; raises `UNREADABLE`."""
    return Command.from_bytes(Envelope.from_bytes(command.encode()).body)


def is_glass_broken(command: str | None) -> bool:
    """Whether a command, as `asked` reads it, was given with the glass broken; not where there is none to be read."""
    try:
        return command is not None and asked(command).break_glass
    except UNREADABLE:
        return False


def held(state: ServingState, of: Standing) -> Grant | None:
    """The grant of what stands; None when nothing of that kind does, or by the controller's word alone."""
    return next((one for one in state.basis if one.of == of), None)


def believed_grants(state: ServingState) -> frozenset[tuple[str, tuple[str, ...]]]:
    """Commands and approvals of what is loaded in a state: whoever believes it has checked these."""
    rollout = None if state.rollout is None else state.rollout.model
    instead = None if state.halt is None else state.halt.instead
    placed: tuple[tuple[Standing, ModelRef | None, tuple[Op, ...]], ...] = (
        ("champion", state.champion, CHAMPIONS),
        ("earlier", state.previous, CHAMPIONS),
        ("rollout", rollout, ("canary",)),
        ("halt", instead, ("halt-serving",)),
        ("earlier", instead, CHAMPIONS),
        *(("shadow", one, ("shadow",)) for one in state.shadows),
    )
    # The first such, as `standing` looks for it; another one beside it was not checked.
    found = (first(state.basis, of, model, ops) for of, model, ops in placed if model is not None)
    return frozenset((one.command, one.approvals) for one in found if one is not None)


def first(basis: Basis, of: Standing, model: ModelRef, ops: tuple[Op, ...]) -> Grant | None:
    """The grant of a model that stands, as whoever believes a state looks for it: no other beside it is looked at."""
    for grant in basis:
        command = asked(grant.command) if grant.of == of else None
        if command is not None and command.model == model and command.op in ops:
            return grant
    return None


def plan_of(state: ServingState, of: Standing) -> Plan:
    """The plan of the command that something stands by; the usual one where nothing does, or it has none."""
    grant = held(state, of)
    return (asked(grant.command).plan if grant is not None else None) or Plan()


def goes_back(state: ServingState) -> bool:
    """Whether a person's rollback is being prepared."""
    grant = held(state, "change") if state.phase == "prepare" else None
    return grant is not None and asked(grant.command).op == "rollback"


def without(basis: Basis, *gone: Standing) -> Basis:
    """Take out all grants of some kinds."""
    return tuple(one for one in basis if one.of not in gone)


def with_one(basis: Basis, grant: Grant, of: Standing) -> Basis:
    """Put a grant in, in the place of the one of its kind."""
    return (*without(basis, of), msgspec.structs.replace(grant, of=of))


def with_shadow(basis: Basis, grant: Grant) -> Basis:
    """Put the grant of one more shadow in."""
    return (*basis, msgspec.structs.replace(grant, of="shadow"))


def shadows_of(basis: Basis, kept: Iterable[ModelRef]) -> Basis:
    """Take out the grants of shadows that are none any more."""
    models = set(kept)
    return tuple(one for one in basis if one.of != "shadow" or asked(one.command).model in models)


def earlier(basis: Basis, model: ModelRef) -> Grant | None:
    """What once made a model champion; None when it never was, or too long ago."""
    return first(basis, "earlier", model, CHAMPIONS)


def succeeded(basis: Basis, grant: Grant) -> Basis:
    """Let a promotion stand, and what stood before it as that of an earlier champion."""
    model = asked(grant.command).model
    others = _without_model(_without_model(basis, "earlier", model), "fallen", model)
    former = [one for one in others if one.of == "earlier"]
    before = [msgspec.structs.replace(one, of="earlier") for one in others if one.of == "champion"]
    kept = [*former, *before][-MAX_EARLIER:]
    return (*with_one(without(others, "earlier"), grant, "champion"), *kept)


def gone_back(basis: Basis, model: ModelRef) -> Basis:
    """Let what once made an earlier champion stand again; what made the one before it stands no more."""
    found = earlier(basis, model)
    if found is None:
        return basis
    return with_one(_without_model(without_earlier(basis, model), "fallen", model), found, "champion")


def with_fallen(basis: Basis, grant: Grant) -> Basis:
    """Put in what made a champion that windows went back from, beside those of the last others."""
    others = _without_model(basis, "fallen", asked(grant.command).model)
    gone = [one for one in others if one.of == "fallen"][: 1 - MAX_FALLEN]
    kept = tuple(one for one in others if one not in gone)
    return (*kept, msgspec.structs.replace(grant, of="fallen"))


def without_earlier(basis: Basis, model: ModelRef) -> Basis:
    """Take out what once made a model champion."""
    return _without_model(basis, "earlier", model)


def _without_model(basis: Basis, of: Standing, model: ModelRef | None) -> Basis:
    return tuple(one for one in basis if one.of != of or asked(one.command).model != model)
