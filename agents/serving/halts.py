"""Halts: those in states that are not believed; they hold all the same, for to stop takes only a controller's word.

So a halt reaches an agent that cannot believe what else the state says, because it missed a change that a key approved
which was revoked since. Only the newest state that the audit tells of counts: an older one that somebody shows again
neither halts nor resumes, nor does one of which the audit tells nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.agents.control.verdicts import one_line

if TYPE_CHECKING:
    from driftline.schemas.control.serving_state import ServingState


class Halts:
    """By deployment, of its newest state; no more than the agent serves."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def why(self, deployment: str) -> str | None:
        """Who halted it, and why; None when nobody did, or what is believed says so itself."""
        return self._of.get(deployment)

    def lift(self, deployment: str) -> None:
        """The newest state is believed: it says what is so."""
        self._of.pop(deployment, None)

    def heed(self, state: ServingState) -> None:
        """Take in the newest state, which is not believed."""
        self.lift(state.deployment)
        if state.halt is not None:
            reason = one_line(state.halt.reason)
            self._of[state.deployment] = f"{state.halt.by} halted it in revision {state.revision}: {reason}"
