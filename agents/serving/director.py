"""Director: carries out one deployment's states, a newer one in place of an older, and says how it went.

A state in phase `prepare` says what serves now and what is to be loaded; one in phase `activate` what serves. Whatever
fails leaves what answers as it is; it is tried again until a newer state comes. A canary or a shadow that cannot be
loaded is told as a failure, and stops nobody who answers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from driftline.agents.serving.fetched import SAID_CHARS
from driftline.agents.serving.package.errors import said

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.agents.serving.swap import Swapper
    from driftline.schemas.control.ack import Outcome
    from driftline.schemas.control.serving_state import ServingState

    Say = Callable[[str, int, Outcome, str, float], None]

logger = logging.getLogger(__name__)

RETRY_S: Final = 30.0


class Director:
    """Directs the swapper of a deployment.

    Args:
        swapper: of it.
        say: is told deployment, revision, outcome, reason and seconds.
    """

    def __init__(self, swapper: Swapper, say: Say) -> None:
        self._swapper, self._say = swapper, say
        self._task: asyncio.Task[None] | None = None
        self._latest: ServingState | None = None
        self.active = 0
        """Revision that serves, though a canary or a shadow of it may not be here."""
        self.lacking: str | None = "it has not begun yet"
        """Why what should answer does not; None when it does."""

    @property
    def name(self) -> str:
        """The deployment."""
        return self._swapper.deployment.name

    @property
    def is_done(self) -> bool:
        """Whether what its newest state says is so now serves."""
        return self._latest is not None and self.active == self._latest.revision

    def take(self, state: ServingState) -> None:
        """Carry out a state; what is under way for an older one is given up."""
        self._latest = state
        before = self._task
        if before is not None:
            before.cancel()
        self._task = asyncio.create_task(self._through(state, before), name=f"direct-{self.name}")

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        while (task := self._task) is not None and not task.done():
            await asyncio.wait([task])

    async def close(self) -> None:
        """Give up what is under way."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _through(self, state: ServingState, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        while True:
            if await self._once(state):
                return
            await asyncio.sleep(RETRY_S)

    async def _once(self, state: ServingState) -> bool:
        """Carry a state out; say whether it need not be tried again."""
        began_s = time.monotonic()
        try:
            beside = await self._serve(state)
        except Exception as error:  # noqa: BLE001 - whatever fails is told, and tried again
            why = said(error, SAID_CHARS)
            self.lacking = f"revision {state.revision} cannot serve: {why}"
            self._tell(state, "failed", why, began_s)
            return False
        if state.phase == "prepare":
            if beside is not None:
                # Told of again once nothing is being prepared: a failure would cancel the change.
                logger.warning("%s revision %d: %s", self.name, state.revision, beside)
            try:
                await self._swapper.prepare(state)
            except Exception as error:  # noqa: BLE001 - as above
                # The controller cancels the revision; what serves is as it was.
                self._tell(state, "failed", said(error, SAID_CHARS), began_s)
            else:
                self._tell(state, "prepared", "", began_s)
            return True
        self._tell(state, "activated" if beside is None else "failed", beside or "", began_s)
        return beside is None

    async def _serve(self, state: ServingState) -> str | None:
        """Let serve what a state says is so now; why something beside what answers is not here."""
        beside = None
        if state.phase != "prepare" or not self._swapper.serves(state):
            beside = await self._swapper.activate(state)
        self.active = state.revision
        self.lacking = None
        return beside

    def _tell(self, state: ServingState, outcome: Outcome, reason: str, began_s: float) -> None:
        logger.info("%s revision %d: %s %s", self.name, state.revision, outcome, reason)
        self._say(self.name, state.revision, outcome, reason, time.monotonic() - began_s)
