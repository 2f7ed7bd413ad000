"""Lifecycle: from one revision of a deployment's state to the next, by an admitted command or by its phases.

A change that needs models which instances have not loaded takes two revisions: `prepare`, in which all serve as before
and load, and `activate`, in which the change is so. A halt or a rollback in between cancels what is being prepared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from driftline.agents.control.deeds import Deed, first, refuse
from driftline.agents.control.effects import effect
from driftline.agents.control.grants import asked, held, with_one, without
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.command import AHEAD_MS, Command, ModelRef, Op
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.control.serving_state import Grant, ServingState, Tier, strictest

replace = msgspec.structs.replace

INTERRUPTING: Final[frozenset[Op]] = frozenset(("halt-rollout", "halt-serving", "rollback"))
"""What ends a change that is being prepared, and waits for none; all that a deployment takes once a review is overdue,
and that an agent takes by itself."""
AT_ONCE: Final[frozenset[Op]] = frozenset(("halt-rollout", "halt-serving"))
"""What holds before anything it names is loaded."""


@dataclass(frozen=True, slots=True)
class At:
    """When a revision is made: ms since 1970, and the seq of the audit's record that tells of it."""

    ms: int
    seq: int


def begin(
    state: ServingState | None,
    command: Command,
    grant: Grant,
    *,
    by: str,
    at: At,
    tier: Tier = "high",
) -> ServingState | Refusal:
    """Begin what a command asks for.

    Args:
        state: the newest revision; None when the deployment has none.
        command: one whose op `EFFECTS` holds.
        grant: its envelope and its approvals.
        by: id of the person who asked.
        at: when.
        tier: of the manifest of a model that is registered.

    Returns:
        The next revision, in phase `prepare` when something must be loaded first; or why not.
    """
    conflict = _conflict(state, command)
    if conflict is not None:
        return conflict
    if state is None and command.op != "register":
        return refuse(f"there is no deployment {command.deployment}: register a model in it first")
    base = first(command.deployment, tier) if state is None else state
    if base.phase == "prepare" and command.op not in INTERRUPTING:
        return refuse(f"revision {base.revision} is still being prepared: wait for it, or halt or roll back")
    at = _asked_for(at, command)
    following = (
        _next(cleared(base), at)
        if state is not None
        else replace(base, audit_seq=at.seq, decided_at_ms=at.ms)
    )
    made = effect(following, Deed(command, grant, by, following.decided_at_ms, tier))
    if isinstance(made, Refusal):
        return following if _ends_alone(base, command) else made
    prepares = () if command.op in AT_ONCE else tuple(sorted(made.loaded - base.loaded, key=_order))
    if not prepares:
        return made
    return replace(
        following,
        phase="prepare",
        prepares=prepares,
        change=Envelope.from_bytes(grant.command.encode()).digest,
        basis=with_one(following.basis, grant, "change"),
    )


def activate(state: ServingState, at: At) -> ServingState | Refusal:
    """Make so what every live instance has prepared.

    Raises:
        ValueError: nothing is being prepared, which a controller knows.
    """
    grant = held(state, "change")
    if state.phase != "prepare" or grant is None:
        raise ValueError(f"revision {state.revision} of {state.deployment} prepares nothing")
    command = asked(grant.command)
    following = _next(cleared(state), _asked_for(at, command))
    return effect(following, Deed(command, grant, "", following.decided_at_ms, state.tier))


def cancel(state: ServingState, at: At) -> ServingState:
    """The next revision, which says the same without what is being prepared: everywhere, all is as it was."""
    return _next(cleared(state), at)


def _ends_alone(state: ServingState, command: Command) -> bool:
    """Whether a command has something to stop in a state, and nothing but what is being prepared."""
    if state.phase != "prepare":
        return False
    if command.op == "rollback":
        return command.model is not None and command.model == state.champion
    return command.op == "halt-rollout" and state.rollout is None


def cleared(state: ServingState) -> ServingState:
    """The state without what is being prepared."""
    return replace(state, phase="activate", prepares=(), change=None, basis=without(state.basis, "change"))


def tier_of(state: ServingState | None, command: Command, tier: Tier | None = None) -> Tier:
    """The tier that decides who may do what: the strictest of the deployment, the model that is named, the manifest.

    What nobody knows is of the strictest.
    """
    found: list[Tier] = [] if tier is None else [tier]
    if state is not None:
        found.append(state.tier)
        version = None if command.model is None else state.version(command.model)
        found.extend(() if version is None else (version.tier,))
    return strictest(*found)


def stage_of(state: ServingState | None, command: Command) -> str:
    """The stage of the model that a command names; empty when none is known."""
    found = None if state is None or command.model is None else state.version(command.model)
    return "" if found is None else found.stage


def is_own(state: ServingState | None, command: Command, person: str) -> bool:
    """Whether a person would validate what they registered."""
    found = None if state is None or command.model is None else state.version(command.model)
    return command.op == "validate" and found is not None and found.registered_by == person


def _conflict(state: ServingState | None, command: Command) -> Refusal | None:
    revision = 0 if state is None else state.revision
    expected = command.expected_revision
    if expected is None or expected == revision:
        return None
    return Refusal(
        "revision_conflict",
        f"{command.deployment} is at revision {revision}, the command expects {expected}: look at it and ask again",
    )


def _asked_for(at: At, command: Command) -> At:
    """When a command takes effect: agents believe no step that began before, whose clock may be minutes behind."""
    return At(max(at.ms, command.issued_at_ms - AHEAD_MS), at.seq)


def _next(state: ServingState, at: At) -> ServingState:
    # Clocks of two controllers differ. One that is far behind the other's is right: agents believe nothing of later.
    is_near = at.ms < state.decided_at_ms <= at.ms + AHEAD_MS
    decided_ms = state.decided_at_ms if is_near else at.ms
    return replace(state, revision=state.revision + 1, audit_seq=at.seq, decided_at_ms=decided_ms)


def _order(model: ModelRef) -> tuple[str, str]:
    return model.name, model.version
