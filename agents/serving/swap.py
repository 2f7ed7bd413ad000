"""Swap: from a believed state to the slots that serve it: prepare loads, activate changes a pointer, cancel lets go.

What serves goes on whatever a package does. Loading runs in threads; all else belongs to one event loop. A newer state
ends what is being prepared for an older one.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from driftline.agents.serving.arrangement import is_cold, needed, slots_of
from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.lease import Deployment
from driftline.agents.serving.package.errors import said
from driftline.agents.serving.package.replacement import misfits
from driftline.agents.serving.slots import Slots
from driftline.agents.serving.work import background, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.agents.serving.package.manifest import Manifest
    from driftline.agents.serving.slots import Loaded
    from driftline.schemas.control.command import ModelRef
    from driftline.schemas.control.serving_state import ServingState

_SAID_CHARS: Final = 450
"""Of the sentence of an error, which an ack carries."""


class Fetched(Protocol):
    """A package that is here, verified and tried, and not loaded yet."""

    @property
    def manifest(self) -> Manifest:
        """As it was signed."""
        ...

    @property
    def memory_bytes(self) -> int:
        """What its model took in its trial; 0 when that is not known."""
        ...

    def load(self) -> Loaded:
        """Load and warm it; blocks."""
        ...

    def release(self) -> None:
        """Let it go unloaded."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What swapping needs of the world.

    Attributes:
        fetch: copies, verifies and tries a package; blocks, and raises DriftlineError.
        free_bytes: memory that a model may still take.
        drain_s: how long the calls of an old generation are waited for, s.
        abandoned: told how many calls are waited for no longer.
    """

    fetch: Callable[[ModelRef], Fetched]
    free_bytes: Callable[[], int]
    drain_s: float = 30.0
    abandoned: Callable[[int], None] = lambda _count: None


class Swapper:
    """Serves the states of one deployment.

    Args:
        name: of the deployment.
        means: as above.
    """

    def __init__(self, name: str, means: Means) -> None:
        self.deployment: Final = Deployment(name, on_idle=self._on_idle)
        self._means = means
        self._loaded: dict[ModelRef, Loaded] = {}
        self._wanted: frozenset[ModelRef] = frozenset()
        """What a prepared revision will need beside what serves."""
        self._closing: set[asyncio.Future[None]] = set()
        self._switched_s = 0.0
        """When who answers changed last: since then the generation before it drains."""

    @property
    def versions(self) -> set[str]:
        """Versions in memory."""
        return {one.version for one in self._loaded.values()}

    @property
    def champion(self) -> Loaded | None:
        """The champion, as far as it is in memory."""
        return self.deployment.slots.champion

    @property
    def manifests(self) -> dict[str, Manifest]:
        """Manifests of what is in memory, by their digests."""
        return {ref.manifest: one.manifest for ref, one in self._loaded.items()}

    async def prepare(self, state: ServingState) -> None:
        """Load what a state prepares, which is one version; afterwards all serves as before.

        What another revision prepared goes first: its end may not have been heard.

        Raises:
            SwapError: it cannot be loaded, does not fit what serves, or finds no memory; nothing is kept of it.
        """
        self._wanted = frozenset(state.prepares)
        self._sweep()
        await self._closed()
        for ref in state.prepares:
            await self._hold(ref, state, present=self._present(), cold=is_cold(state))

    async def activate(self, state: ServingState) -> None:
        """Let a state serve.

        What it needs and nobody prepared, as after a start, is loaded first; a halt does not wait for that. A previous
        champion that cannot be loaded leaves its slot empty.

        Raises:
            SwapError: what must answer cannot be loaded; the slots stay as they are, but for a halt.
        """
        self._wanted = state.loaded
        try:
            if state.halt is not None and (state.halt.instead is None or state.halt.instead in self._loaded):
                self._switch_now(slots_of(state, self._loaded))
            for ref in needed(state):
                await self._hold(ref, state)
            if state.previous is not None:
                with suppress(SwapError):
                    await self._hold(state.previous, state)
            slots = slots_of(state, self._loaded)
            if _is_urgent(self.deployment.slots, slots):
                self._switch_now(slots)
            else:
                await self._switch(slots)
        finally:
            self.cancel()

    def serves(self, state: ServingState) -> bool:
        """Whether what a state says is so now is what serves, and all of it is in memory."""
        now, wanted = self.deployment.slots, slots_of(state, self._loaded)
        is_whole = all(ref in self._loaded for ref in needed(state))
        return is_whole and replace(now, revision=0) == replace(wanted, revision=0)

    def cancel(self) -> None:
        """Let go of everything that does not serve."""
        self._wanted = frozenset()
        self._sweep()

    async def close(self, timeout_s: float) -> None:
        """Serve nothing any more, and let go of all that ends its calls in time."""
        await self.deployment.drained(timeout_s)
        self.deployment.abandon()
        self.deployment.switch(Slots())
        await self.deployment.drained(timeout_s)
        self.cancel()
        if self._closing:
            await asyncio.wait(self._closing, timeout=timeout_s)

    def adopt(self, loaded: Loaded) -> None:
        """Let a version that was loaded elsewhere be the champion, without a state."""
        self._loaded[loaded.ref] = loaded
        self.deployment.switch(Slots(champion=loaded))

    def _present(self) -> Manifest | None:
        """What callers are answered by now: whatever comes must fit it."""
        found = self.deployment.slots.champion
        return None if found is None else found.manifest

    async def _hold(
        self, ref: ModelRef, state: ServingState, *, present: Manifest | None = None, cold: bool = False
    ) -> None:
        """Have a package in memory that a state names."""
        if ref in self._loaded:
            return
        fetched = await in_thread(lambda: self._fetched(ref), lambda one: one.release())
        try:
            _is_of_its_tier(ref, state, fetched.manifest)
            _fits(present, fetched.manifest)
            await self._has_room(fetched, cold=cold)
        except BaseException:
            fetched.release()
            raise
        loaded = await in_thread(lambda: _load(fetched), _close)
        self._loaded[ref] = loaded

    def _fetched(self, ref: ModelRef) -> Fetched:
        try:
            return self._means.fetch(ref)
        except MemoryError as error:
            raise SwapError(f"{ref.name} {ref.version} ran out of memory") from error
        except SwapError:
            raise
        except Exception as error:
            raise SwapError(said(error, _SAID_CHARS)) from error

    async def _has_room(self, fetched: Fetched, *, cold: bool) -> None:
        """Refuse what does not fit into memory; where the plan lets a rollback be cold, the previous one goes first."""
        if fetched.memory_bytes <= self._means.free_bytes():
            return
        slots = self.deployment.slots
        if cold and slots.previous is not None:
            kept = {name: getattr(slots, name) for name in Slots.__dataclass_fields__ if name != "previous"}
            await self._switch(Slots(**kept))
            await self.deployment.drained(self._means.drain_s)
            self._sweep()
            await self._closed()
        free = self._means.free_bytes()
        if fetched.memory_bytes > free:
            held_now = ", ".join(sorted(one.manifest.title for one in self._loaded.values())) or "nothing"
            raise SwapError(
                f"{fetched.manifest.title} takes {fetched.memory_bytes:,} bytes of memory, and {free:,} are free "
                f"beside {held_now}: let the plan say cold_rollback, or give more memory"
            )

    async def _switch(self, slots: Slots) -> None:
        """Change who answers, once at most one generation would drain; however many want to, one drains for so long."""
        left_s = self._switched_s + self._means.drain_s - time.monotonic()
        await self.deployment.drained(max(0.0, left_s))
        self._switch_now(slots)

    def _switch_now(self, slots: Slots) -> None:
        """Change who answers; what still drains closes when its last call ends."""
        if self.deployment.is_draining:
            self._means.abandoned(self.deployment.abandon())
        self.deployment.switch(slots)
        self._switched_s = time.monotonic()

    def _on_idle(self, loaded: Loaded | None) -> None:
        del loaded
        self._sweep()

    def _sweep(self) -> None:
        """Close what neither serves, nor will, nor answers a call."""
        held_now = self.deployment.slots.held
        for ref, loaded in list(self._loaded.items()):
            if loaded not in held_now and ref not in self._wanted and not loaded.calls:
                del self._loaded[ref]
                self._closing.add(closing := asyncio.ensure_future(background(partial(_close, loaded))))
                closing.add_done_callback(self._closing.discard)

    async def _closed(self) -> None:
        if self._closing:
            await asyncio.wait(self._closing, timeout=self._means.drain_s)


def _is_urgent(now: Slots, then: Slots) -> bool:
    """Whether somebody is to answer no more: a halt, a canary taken back, the champion before again."""
    is_back = now.previous is not None and then.champion is now.previous
    return then.halted is not None or (now.canary is not None and then.canary is None) or is_back


def _fits(present: Manifest | None, following: Manifest) -> None:
    wrong = misfits(present, following) if present is not None else []
    if wrong:
        raise SwapError(wrong[0])


def _is_of_its_tier(ref: ModelRef, state: ServingState, manifest: Manifest) -> None:
    """Refuse a package of another tier than the state says: its approvals were counted for that one, unseen."""
    version = state.version(ref)
    if version is not None and version.tier != manifest.tier:
        raise SwapError(
            f"{manifest.title} is of tier {manifest.tier}, and the state calls it {version.tier}: approvals for "
            f"that say nothing of it"
        )


def _load(fetched: Fetched) -> Loaded:
    """Load a package; what does not load is let go of."""
    try:
        with ExitStack() as undone:
            undone.callback(fetched.release)
            loaded = fetched.load()
            undone.pop_all()
            return loaded
    except MemoryError as error:
        raise SwapError(f"{fetched.manifest.title} ran out of memory while it was loaded") from error
    except SwapError:
        raise
    except Exception as error:
        raise SwapError(said(error, _SAID_CHARS)) from error


def _close(loaded: Loaded) -> None:
    try:
        loaded.model.close()
    finally:
        loaded.release()
