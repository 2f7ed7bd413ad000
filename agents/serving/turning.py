"""Turning: who answers changes at once, or when the calls of the generation before have ended.

However many changes wait, one generation drains, and for no longer than one may.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from driftline.agents.serving.lease import Deployment
    from driftline.agents.serving.means import Means
    from driftline.agents.serving.slots import Slots


class Turning:
    """Changes who answers in a deployment.

    Args:
        deployment: the one.
        means: how long calls are waited for, and who is told of those that are waited for no longer.
    """

    def __init__(self, deployment: Deployment, means: Means) -> None:
        self._deployment: Final = deployment
        self._means: Final = means
        self._turned_s = 0.0
        """When who answers changed last: since then the generation before it drains."""

    async def in_turn(self, slots: Slots) -> None:
        """Change who answers, once at most one generation would drain."""
        await self.drained()
        self.at_once(slots)

    def at_once(self, slots: Slots) -> None:
        """Change who answers; what still drains closes when its last call ends."""
        if self._deployment.is_draining:
            self._means.abandoned(self._deployment.abandon())
        self._deployment.switch(slots)
        self._turned_s = time.monotonic()

    async def drained(self) -> None:
        """Wait until no generation drains, for as long as the one that does may."""
        left_s = self._turned_s + self._means.drain_s - time.monotonic()
        await self._deployment.drained(max(0.0, left_s))
