"""Halts: what states say that are not believed; a halt holds all the same, for to stop takes only a controller's word.

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
        self._doubts: dict[str, str] = {}

    @property
    def doubted(self) -> dict[str, str]:
        """Deployments whose newest state is not believed, and why not."""
        return dict(self._doubts)

    def silenced(self, deployment: str, believed: ServingState | None, silent_s: float) -> str | None:
        """Why nobody is to be answered by what is believed; None when all are.

        It is halted in a newer state that is not believed, nothing is believed, or it is too old.

        Args:
            deployment: which.
            believed: the state that is; None without one.
            silent_s: how long nothing was heard of it.
        """
        if (halted := self._of.get(deployment)) is not None:
            return halted
        if believed is None:
            return self._doubts.get(deployment)
        if silent_s <= believed.max_stale_s:
            return None
        return f"nothing was heard of its state for {silent_s:,.0f} s"

    def lift(self, deployment: str) -> None:
        """The newest state is believed: it says what is so."""
        self._of.pop(deployment, None)
        self._doubts.pop(deployment, None)

    def heed(self, state: ServingState, why: str) -> None:
        """Take in the newest state, which is not believed, and why."""
        self.lift(state.deployment)
        self._doubts[state.deployment] = one_line(f"its state is not believed: {why}")
        if state.halt is not None:
            reason = one_line(state.halt.reason)
            self._of[state.deployment] = f"{state.halt.by} halted it in revision {state.revision}: {reason}"
