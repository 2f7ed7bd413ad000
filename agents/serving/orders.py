"""Orders: halts and rollbacks that were given to this agent itself, and how long they hold over what states say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from driftline.agents.control.grants import asked, held
from driftline.agents.control.lifecycle import INTERRUPTING
from driftline.schemas.control.command import AHEAD_MS
from driftline.schemas.control.serving_state import Grant, Halt, Rollout, ServingState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.schemas.control.command import Command


class Local(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was given here, and holds until the controller knows better.

    Attributes:
        command: its envelope, as text.
        approvals: of it.
        by: id of the person.
        revision: that was believed then.
        rollout: as it stood; `halt-rollout` lets its weight grow no more.
    """

    command: str
    approvals: tuple[str, ...] = ()
    by: str
    revision: int
    rollout: Rollout | None = None


def unfit(command: Command, installation: str, now_ms: int) -> str | None:
    """Why a command is none that an agent obeys by itself, whoever signed it; None when it is one."""
    if command.op not in INTERRUPTING:
        return f"{command.op} goes through the controller; here {', '.join(sorted(INTERRUPTING))} do"
    if command.audience != installation:
        return "it is meant for another installation"
    if command.issued_at_ms > now_ms + AHEAD_MS:
        return f"it was issued {command.issued_at_ms - now_ms:,} ms after now"
    if now_ms > command.expires_at_ms:
        return f"it expired {now_ms - command.expires_at_ms:,} ms ago"
    return None


def over(state: ServingState, local: Local) -> ServingState:
    """A state with a local command over it; what it loads is what it loaded before."""
    command = asked(local.command)
    if command.op == "halt-rollout":
        now, then = state.rollout, local.rollout
        if now is None or then is None or now.rollout_id != then.rollout_id or now.weight <= then.weight:
            return state
        return msgspec.structs.replace(state, rollout=then)
    if command.op == "halt-serving":
        halt = Halt(reason=command.reason, by=local.by, revision=state.revision, instead=command.model)
        return msgspec.structs.replace(state, halt=halt)
    others = (state.champion, state.previous)
    previous = next((one for one in others if one is not None and one != command.model), None)
    return msgspec.structs.replace(state, champion=command.model, previous=previous, rollout=None)


def is_settled(local: Local, state: ServingState) -> bool:
    """Whether a state knows of a local command, or of a later one that ends it."""
    command = asked(local.command)
    if any(grant.command == local.command for grant in state.basis):
        return True
    if command.op == "rollback":
        stands = (held(state, "champion"), held(state, "rollback"))
        return state.champion == command.model or _later(stands, command)
    ends = held(state, "resumed-serving" if command.op == "halt-serving" else "resumed-rollout")
    return state.is_retired or _later((ends,), command)


def _later(grants: Iterable[Grant | None], command: Command) -> bool:
    return any(
        grant is not None and asked(grant.command).issued_at_ms > command.issued_at_ms for grant in grants
    )


def impossible(command: Command, state: ServingState) -> str | None:
    """Why a local command can have no effect; None when it can."""
    model = command.model
    if model is not None and not any(
        grant.of in ("earlier", "champion") and asked(grant.command).model == model for grant in state.basis
    ):
        return (
            f"version {model.version} is none of the last champions, which alone serve without new approvals"
        )
    if command.op == "halt-rollout" and state.rollout is None:
        return f"no rollout of {state.deployment} is under way"
    if command.op == "rollback" and model is None:
        return "it names no version to go back to"
    return None
