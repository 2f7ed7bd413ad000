"""Halts: those in states that are not believed; they hold all the same, for to stop takes only a controller's word.

So a halt reaches an agent that cannot believe what else the state says, because it missed a change that a key approved
which was revoked since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from driftline.agents.control.verdicts import one_line
from driftline.schemas.control.envelope import STATE_MAX_BYTES, Envelope, EnvelopeError
from driftline.schemas.control.serving_state import ServingState

if TYPE_CHECKING:
    from driftline.agents.control.verify_state import Believed


class Halts:
    """By deployment, of its newest state; no more than the agent serves."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def why(self, deployment: str) -> str | None:
        """Who halted it, and why; None when nobody did, or what is believed says so itself."""
        return self._of.get(deployment)

    def lift(self, deployment: str) -> None:
        """A newer state is believed: it says what is so."""
        self._of.pop(deployment, None)

    def heed(self, deployment: str, data: bytes, before: Believed | None) -> None:
        """Look at a state that a controller signed and that is not believed; an older one says nothing."""
        state = said(data)
        if state is None or (before is not None and state.revision <= before.state.revision):
            return
        self.lift(deployment)
        if state.halt is not None:
            reason = one_line(state.halt.reason)
            self._of[deployment] = f"{state.halt.by} halted it in revision {state.revision}: {reason}"


def said(data: bytes) -> ServingState | None:
    """The state in an envelope, unbelieved; None when there is none."""
    try:
        return ServingState.from_bytes(Envelope.from_bytes(data, STATE_MAX_BYTES).body)
    except (EnvelopeError, msgspec.MsgspecError):
        return None
