"""Leases: what answers a request stays as it is until its model call has ended, whatever is swapped meanwhile.

At most one old generation of a deployment drains; the next swap waits for it. All of this belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from driftline.agents.serving.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.agents.serving.slots import Loaded


class Generation:
    """The slots between two swaps, and how many calls are made with them."""

    __slots__ = ("leases", "slots")

    def __init__(self, slots: Slots) -> None:
        self.slots: Final = slots
        self.leases = 0


class Lease:
    """One model call of one generation; let go of exactly once, when the call has ended."""

    __slots__ = ("_deployment", "generation", "loaded")

    def __init__(self, deployment: Deployment, generation: Generation, loaded: Loaded) -> None:
        self._deployment: Deployment | None = deployment
        self.generation = generation
        self.loaded = loaded
        generation.leases += 1
        loaded.calls += 1

    def release(self) -> None:
        """Say that the call has ended; a second time does nothing."""
        deployment, self._deployment = self._deployment, None
        if deployment is None:
            return
        self.generation.leases -= 1
        self.loaded.calls -= 1
        deployment.ended(self)


class Deployment:
    """What answers for one deployment now, and what still drains.

    Args:
        name: of it.
        on_idle: called with a version of an old generation whose last call has ended, and with None when a generation
            is drained.
    """

    def __init__(self, name: str, on_idle: Callable[[Loaded | None], None] = lambda _: None) -> None:
        self.name: Final = name
        self.canary_failures = 0
        """Of the canary, one after another."""
        self.canary_closed = False
        """Whether the canary failed too often; the next revision opens it again."""
        self.suspended: str | None = None
        """Why it answers nobody whatever its slots say, as when its state is too old."""
        self._on_idle = on_idle
        self._current = Generation(Slots())
        self._draining: Generation | None = None
        self._drained = asyncio.Event()
        self._drained.set()

    @property
    def slots(self) -> Slots:
        """Who answers now."""
        return self._current.slots

    @property
    def is_draining(self) -> bool:
        """Whether calls of an old generation are under way."""
        return self._draining is not None

    def lease(self, loaded: Loaded) -> Lease:
        """Hold a version for one call."""
        return Lease(self, self._current, loaded)

    def ended(self, lease: Lease) -> None:
        """Count a lease that was let go of."""
        if lease.generation is self._current:
            return
        if lease.generation is self._draining and not lease.generation.leases:
            self._close()
        if not lease.loaded.calls:
            self._on_idle(lease.loaded)

    def switch(self, slots: Slots) -> None:
        """Let other slots answer from now on; a canary that failed is tried again in another revision, or rollout.

        Raises:
            RuntimeError: an old generation still drains; wait for it first.
        """
        if self._draining is not None:
            raise RuntimeError(f"an old generation of {self.name} still drains")
        old, self._current = self._current, Generation(slots)
        if (slots.revision, slots.rollout_id) != (old.slots.revision, old.slots.rollout_id):
            self.canary_failures, self.canary_closed = 0, False
        if old.leases:
            self._draining = old
            self._drained.clear()
        else:
            self._on_idle(None)

    async def drained(self, timeout_s: float) -> bool:
        """Wait until no old generation drains, at most so long; say whether there is none."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._drained.wait()
        except TimeoutError:
            return False
        return True

    def abandon(self) -> int:
        """Wait no longer for the old generation: its versions are closed when their last calls end; give how many."""
        left = self._draining.leases if self._draining is not None else 0
        self._close()
        return left

    def canary_failed(self, most: int) -> None:
        """Count a failure of the canary; with so many, one after another, the slot is closed."""
        self.canary_failures += 1
        if self.canary_failures >= most:
            self.canary_closed = True

    def canary_answered(self) -> None:
        """Count an answer of the canary."""
        self.canary_failures = 0

    def _close(self) -> None:
        self._draining = None
        self._drained.set()
        self._on_idle(None)
