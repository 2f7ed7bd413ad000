"""Settled: what ends a command that was given to an agent itself: a state that knows of it, or a person's later word.

A grant counts as that only when it warrants what it says: a state may carry others, which nobody looks at while they
change nothing, and whoever has taken a controller over may put them there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.agents.control.grants import CHAMPIONS, UNREADABLE, asked, held
from driftline.agents.control.tiers import judged_by
from driftline.agents.control.warrant import WarrantError, warranted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from driftline.agents.control.history import History
    from driftline.agents.serving.orders import Local
    from driftline.schemas.control.command import Command, ModelRef, Op
    from driftline.schemas.control.serving_state import Rollout, ServingState, Standing

_ENDS: dict[Op, dict[Standing, tuple[Op, ...]]] = {
    "halt-serving": {"resumed-serving": ("resume",), "halt": ("halt-serving",)},
    "halt-rollout": {"resumed-rollout": ("resume",)},
    "rollback": {"champion": CHAMPIONS, "rollback": ("rollback",)},
}
_TARGETS: dict[Standing, str] = {"resumed-serving": "serving", "resumed-rollout": "rollout"}


def settled(local: Local, state: ServingState, history: History, ended: Collection[str]) -> str | None:
    """Say why a local command holds no more over a state; None while it does.

    Args:
        local: the command.
        state: that is believed.
        history: of trust and policy.
        ended: digests of commands and approvals that were denied, refused or lapsed, as the audit tells.
    """
    command = asked(local.command)
    if state.is_retired or (command.op == "rollback" and is_gone(command.model, state)):
        return "what it names serves nowhere any more"

    def signed_ms(of: Standing, ops: tuple[Op, ...]) -> int:
        return _signed_ms(state, of, ops, history, ended)

    if _is_so(local, command, state, signed_ms):
        return "what is so already rests on it"
    for of, ops in _ENDS[command.op].items():
        later_ms = signed_ms(of, ops) - command.issued_at_ms
        if later_ms > 0:
            return (
                f"a {' or '.join(ops)} stands that was signed {later_ms / 1_000:,.1f} s after it, by the clocks of who "
                "signed: ask again, with a clock that is right"
            )
    return None


def is_gone(model: ModelRef | None, state: ServingState) -> bool:
    """Whether a version serves nowhere any more, by a later command than the one that names it."""
    version = None if model is None else state.version(model)
    return version is None or version.stage == "retired"


def grew(then: Rollout | None, now: Rollout | None) -> bool:
    """Whether a rollout went on and answers more callers than it did."""
    return then is not None and now is not None and goes_on(then, now) and now.weight > then.weight


def goes_on(then: Rollout | None, now: Rollout | None) -> bool:
    """Whether a rollout is still the one that it was."""
    return then is not None and now is not None and then.rollout_id == now.rollout_id


def _is_so(
    local: Local,
    command: Command,
    state: ServingState,
    signed_ms: Callable[[Standing, tuple[Op, ...]], int],
) -> bool:
    """Whether a state does what the command asks for, and for a halt says that it is by this command."""
    # Of a halt: what was to answer instead became champion, so that no controller takes it over or can resume it.
    if command.op == "rollback" or (command.op == "halt-serving" and command.model and state.halt is None):
        is_another = state.rollout is not None and not goes_on(local.rollout, state.rollout)
        # A canary of before that was not known here is not to answer beside it either.
        is_later = is_another and signed_ms("rollout", ("canary",)) > command.issued_at_ms
        return state.champion == command.model and (state.rollout is None or is_later)
    if command.op == "halt-serving":
        says_so = state.halt is not None and state.halt.instead == command.model
        return says_so and _rests_on(local, state, "halt")
    # One that grew before it was halted answers more callers than it may here.
    is_paused = state.rollout is not None and state.rollout.paused
    return is_paused and not grew(local.rollout, state.rollout) and _rests_on(local, state, "pause")


def _rests_on(local: Local, state: ServingState, of: Standing) -> bool:
    """Whether what stands in a state stands by the command."""
    found = held(state, of)
    return found is not None and found.command == local.command


def _signed_ms(
    state: ServingState, of: Standing, ops: tuple[Op, ...], history: History, ended: Collection[str]
) -> int:
    """When the grant of a kind was signed, ms since 1970; 0 without one that warrants what it says."""
    grant = held(state, of)
    try:
        if grant is None or (command := asked(grant.command)).op not in ops:
            return 0
        found = warranted(grant, history, judged_by(state, grant, command))
    except (WarrantError, *UNREADABLE):
        return 0
    counts = (
        command.deployment == state.deployment
        and command.target == _TARGETS.get(of, command.target)
        and (of != "halt" or state.halt is not None)
        and not found.is_over(ended)
    )
    return command.issued_at_ms if counts else 0
