"""Orders: halts and rollbacks that were given to this agent itself, and how long they hold over what states say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from driftline.agents.control.deeds import Deed
from driftline.agents.control.effects import effect
from driftline.agents.control.grants import asked
from driftline.agents.control.lifecycle import INTERRUPTING, cleared
from driftline.agents.control.verdicts import Refusal
from driftline.agents.control.warrant import Warrant, WarrantError, warranted
from driftline.agents.control.withdrawn import withdrawn
from driftline.agents.serving.errors import ServingError
from driftline.agents.serving.settled import grew, is_gone
from driftline.schemas.control.command import AHEAD_MS
from driftline.schemas.control.envelope import EnvelopeError
from driftline.schemas.control.serving_state import Grant, Halt, Rollout, ServingState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from driftline.agents.control.history import History
    from driftline.agents.control.verify_state import Believed
    from driftline.schemas.control.command import Command


class Local(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was given here, and holds until the controller knows better.

    Attributes:
        command: its envelope, as text.
        approvals: of it.
        by: id of the person.
        revision: that was believed then.
        rollout: as it stood; `halt-rollout` lets its weight grow no more, and a rollback takes it back.
    """

    command: str
    approvals: tuple[str, ...] = ()
    by: str
    revision: int
    rollout: Rollout | None = None


class Given(msgspec.Struct, frozen=True):
    """A command as it was given here: envelopes as texts."""

    command: str
    approvals: tuple[str, ...] = ()


def ordered(
    data: bytes, history: History, believed: Mapping[str, Believed], now_ms: int
) -> tuple[Given, Warrant, ServingState]:
    """Read a command that was given here, and hold it against trust.

    Args:
        data: JSON of a `Given`.
        history: of trust and policy.
        believed: by deployment.
        now_ms: ms since 1970.

    Returns:
        It, who warrants it, and what is believed of its deployment.

    Raises:
        ServingError: nobody who may asked for it here, or now.
    """
    try:
        given = msgspec.json.decode(data, type=Given)
        command = asked(given.command)
        wrong = unfit(command, history.now.ring.state.trust.installation, now_ms)
        if wrong is not None:
            raise ServingError(f"the command is not obeyed: {wrong}")
        before = believed.get(command.deployment)
        if before is None:
            raise ServingError(f"this agent serves no {command.deployment or 'nameless deployment'}")
        grant = Grant(of="halt", command=given.command, approvals=given.approvals)
        return given, warranted(grant, history, before.state.tier), before.state
    except (msgspec.MsgspecError, EnvelopeError, WarrantError, UnicodeDecodeError, RecursionError) as error:
        raise ServingError(f"the command is not obeyed: {error}") from error


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


def with_one(held: tuple[Local, ...], local: Local) -> tuple[Local, ...]:
    """Let a command hold, in the place of the one with its op: a halt is ended by no rollback and by no other halt."""
    op = asked(local.command).op
    return (*(one for one in held if asked(one.command).op != op), local)


def over(state: ServingState, held: Iterable[Local]) -> ServingState:
    """A state with local commands over it; what it loads is what it loaded before."""
    for local in held:
        state = _over(state, local)
    return state


def _over(state: ServingState, local: Local) -> ServingState:
    command = asked(local.command)
    if command.op == "halt-rollout":
        held_back = grew(local.rollout, state.rollout)
        return msgspec.structs.replace(state, rollout=local.rollout) if held_back else state
    if command.op == "halt-serving":
        instead = None if is_gone(command.model, state) else command.model
        halt = Halt(reason=command.reason, by=local.by, revision=state.revision, instead=instead)
        return msgspec.structs.replace(state, halt=halt)
    others = (state.champion, state.previous)
    previous = next((one for one in others if one is not None and one != command.model), None)
    return msgspec.structs.replace(state, champion=command.model, previous=previous, rollout=None)


def impossible(given: Given, warrant: Warrant, state: ServingState, history: History) -> str | None:
    """Why a local command has no effect, or one that no controller would give it; None when it has one."""
    command = warrant.command
    if command.op == "halt-serving" and command.model is None:
        return None
    grant = Grant(of="change", command=given.command, approvals=given.approvals)
    made = effect(cleared(state), Deed(command, grant, warrant.by, command.issued_at_ms, state.tier))
    return made.sentence if isinstance(made, Refusal) else withdrawn(state, made, history)
