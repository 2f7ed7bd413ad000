"""Swap: from a believed state to the slots that serve it: prepare loads, activate changes a pointer, cancel lets go.

What serves goes on whatever a package does. Loading runs in threads; all else belongs to one event loop. A newer state
ends what is being prepared for an older one.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from driftline.agents.control.grants import goes_back
from driftline.agents.serving.arrangement import (
    advice,
    answers,
    has_lost_canary,
    is_urgent,
    must_answer,
    needed,
    slots_of,
    spared,
)
from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.fetched import close, fetch, judge, load, no_room, of_another_tier
from driftline.agents.serving.lease import Deployment
from driftline.agents.serving.slots import Slots
from driftline.agents.serving.turning import Turning
from driftline.agents.serving.work import Work, background

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.agents.serving.fetched import Fetched
    from driftline.agents.serving.means import Means
    from driftline.agents.serving.package.manifest import Manifest
    from driftline.agents.serving.slots import Loaded
    from driftline.schemas.control.command import ModelRef
    from driftline.schemas.control.serving_state import ServingState


logger = logging.getLogger(__name__)


class Swapper:
    """Serves the states of one deployment.

    Args:
        name: of the deployment.
        means: as above.
    """

    def __init__(self, name: str, means: Means) -> None:
        self.deployment: Final = Deployment(name, on_idle=self._on_idle)
        self._means, self._work = means, Work(name, means.turns)
        self._turning: Final = Turning(self.deployment, means)
        self._loaded: dict[ModelRef, Loaded] = {}
        self._state: ServingState
        """The newest that was to be prepared or to serve."""
        self._wanted: frozenset[ModelRef] = frozenset()
        """What a prepared revision will need beside what serves."""
        self._loading: dict[ModelRef, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Future[None]] = set()

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
        """Manifests of what is in memory, by their digests; others' threads ask while it changes."""
        return {ref.manifest: one.manifest for ref, one in tuple(self._loaded.items())}

    async def prepare(self, state: ServingState) -> None:
        """Load what a state prepares, which is one version; afterwards all serves as before.

        What another revision prepared goes first: its end may not have been heard.

        Raises:
            SwapError: it cannot be loaded, does not fit what serves, or finds no memory; nothing is kept of it.
        """
        self._want(frozenset(state.prepares), state)
        self._sweep()
        await self._closed()
        for ref in state.prepares:
            await self._hold(ref, state)

    async def activate(self, state: ServingState) -> str | None:
        """Let a state serve: whoever answers callers as soon as that one is here, then all that stands beside it.

        A halt stops what serves before anything is loaded. What is not here leaves its slot empty: callers of a
        canary go to the champion.

        Returns:
            Why a champion that is halted, a canary or a shadow is not in memory; None when all are.

        Raises:
            SwapError: what must answer cannot be loaded; the slots stay as they are, but for a halt.
        """
        answering = answers(state)
        whole = state.loaded.union(state.prepares)
        self._want(whole, state, first=answering if answering not in self._loaded else None)
        try:
            if state.halt is not None:
                await self._turn(state)
            now = self.deployment.slots
            if has_lost_canary(now, state):
                self._turning.at_once(replace(now, canary=None, rollout_id="", weight=0))
            if answering is not None:
                await self._hold(answering, state)
            self._want(whole, state)
            await self._turn(state)
            lacking = await self._beside(state)
        except SwapError:
            self._keep(state.prepares)
            raise
        # Not when it is cut off: the state that comes says what it wants of what is loaded by now.
        self._keep(state.prepares)
        return lacking

    async def _beside(self, state: ServingState) -> str | None:
        """Put what stands beside who answers into its slot, each as soon as it is here; say why one is not."""
        lacking = None
        for ref in needed(state):
            try:
                await self._hold(ref, state)
            except SwapError as error:
                lacking = lacking or str(error)
            else:
                await self._turn(state)
        if state.previous is not None and not goes_back(state):
            try:
                await self._hold(state.previous, state)
            except SwapError as error:
                logger.warning("a way back of %s is not in memory: %s", self.deployment.name, error)
        await self._turn(state)
        return lacking

    def serves(self, state: ServingState) -> bool:
        """Whether what a state says is so now is what serves, and all of it is in memory."""
        now, wanted = self.deployment.slots, self._slots(state)
        is_whole = all(ref in self._loaded for ref in needed(state))
        return is_whole and replace(now, revision=0) == replace(wanted, revision=0)

    def cancel(self) -> None:
        """Let go of everything that does not serve."""
        self._keep(())

    def _keep(self, refs: Iterable[ModelRef]) -> None:
        """Let go of everything that does not serve, but of these."""
        self._wanted = frozenset(refs)
        self._sweep()

    async def close(self, timeout_s: float) -> None:
        """Serve nothing any more, and let go of all that ends its calls in time."""
        for loading in self._loading.values():
            loading.cancel()
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

    def _want(self, wanted: frozenset[ModelRef], state: ServingState, first: ModelRef | None = None) -> None:
        """Want some packages in memory; loads of others, which an older state began, are given up.

        What comes first, as it is to answer, has the room of all that loads.
        """
        self._wanted, self._state = wanted, state
        loads = wanted if first is None else (first,)
        for ref, loading in self._loading.items():
            if ref not in loads:
                loading.cancel()

    def _slots(self, state: ServingState) -> Slots:
        """The slots of a state, with what is in memory and is what the state says it is."""
        return slots_of(
            state,
            {
                ref: one
                for ref, one in self._loaded.items()
                if of_another_tier(ref, state, one.manifest) is None
            },
        )

    async def _hold(self, ref: ModelRef, state: ServingState) -> None:
        """Have a package in memory that a state names; a load of it that an older state began goes on."""
        if ref not in self._loaded:
            loading = self._loading.get(ref)
            if loading is None or loading.done() or loading.cancelling():
                loading = self._loading[ref] = asyncio.ensure_future(self._load(ref))
                loading.add_done_callback(partial(self._ended, ref))
            await asyncio.shield(loading)
        try:
            judge(ref, state, self._loaded[ref].manifest, self._present())
        except SwapError:
            self._wanted -= {ref}
            self._sweep()
            raise

    def _ended(self, ref: ModelRef, loading: asyncio.Task[None]) -> None:
        if self._loading.get(ref) is loading:
            del self._loading[ref]
        if not loading.cancelled() and (error := loading.exception()) is not None:
            logger.info("%s %s was not loaded: %s", ref.name, ref.version, error)

    async def _load(self, ref: ModelRef) -> None:
        """Load a package; what the newest state refuses is let go of unloaded."""
        fetched = await self._work.do(partial(fetch, self._means.fetch, ref), lambda one: one.release())
        try:
            judge(ref, self._state, fetched.manifest, self._present())
            await self._has_room(ref, fetched)
        except BaseException:
            fetched.release()
            raise
        self._loaded[ref] = await self._work.do(
            lambda: load(fetched), close, fetched.release, fetched.memory_bytes
        )

    async def _has_room(self, ref: ModelRef, fetched: Fetched) -> None:
        """Refuse what does not fit into memory; before that all goes that may, as `spared` says.

        Loads of other deployments are waited for before that, but by what must answer, which waits for them last.
        """
        turns, free_bytes, some_bytes = self._means.turns, self._means.free_bytes, fetched.memory_bytes
        if turns.has_room(some_bytes, free_bytes):
            return
        if not must_answer(self._state, ref) and await turns.room_for(some_bytes, free_bytes):
            return
        await self._turning.drained()
        now = self.deployment.slots
        kept = spared(now, self._state, ref)
        if kept != now:
            self._turning.at_once(kept)
            await self.deployment.drained(self._means.drain_s)
        if must_answer(self._state, ref):
            self._wanted = frozenset((ref,))
        self._sweep()
        await self._closed()
        if turns.has_room(some_bytes, free_bytes):
            return
        if must_answer(self._state, ref) and await turns.room_for(some_bytes, free_bytes):
            return
        titles = sorted(one.manifest.title for one in self._loaded.values())
        ways = advice(self.deployment.slots, self._state, ref)
        raise SwapError(no_room(fetched, titles, free_bytes(), turns.taking_bytes, ways))

    async def _turn(self, state: ServingState) -> None:
        """Let the slots of a state answer, with what is in memory by now; what is urgent waits for nobody."""
        now, slots = self.deployment.slots, self._slots(state)
        if slots == now:
            return
        if is_urgent(now, slots, state):
            self._turning.at_once(slots)
        else:
            await self._turning.in_turn(slots)

    def _on_idle(self, loaded: Loaded | None) -> None:
        del loaded
        self._sweep()

    def _sweep(self) -> None:
        """Close what neither serves, nor will, nor answers a call."""
        held_now = self.deployment.slots.held
        for ref, loaded in list(self._loaded.items()):
            if loaded not in held_now and ref not in self._wanted and not loaded.calls:
                with suppress(SwapError):  # without a thread it is closed by the next sweep
                    closing = background(partial(close, loaded))
                    del self._loaded[ref]
                    self._closing.add(closing)
                    closing.add_done_callback(self._closing.discard)

    async def _closed(self) -> None:
        if self._closing:
            await asyncio.wait(self._closing, timeout=self._means.drain_s)
