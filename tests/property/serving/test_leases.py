"""Leases hold for any order of calls and swaps: nothing that answers is closed, and all else is, in the end."""

from __future__ import annotations

import asyncio
from typing import Any

from examples import many
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from served import loaded

from driftline.agents.serving.lease import Deployment, Lease
from driftline.agents.serving.slots import Slots


class Leases(RuleBasedStateMachine):
    """A deployment whose calls begin and end in any order, between swaps."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.number = 0
        self.versions: list[Any] = []
        self.open: list[Lease] = []
        self.closed: set[str] = set()
        self.deployment = Deployment("churn", on_idle=self.idle)

    def teardown(self) -> None:
        """End all calls: what is not in a slot is closed."""
        for lease in self.open:
            lease.release()
        self.idle(None)
        assert not self.deployment.is_draining
        held = {one.version for one in self.deployment.slots.held}
        assert self.closed == {one.version for one in self.versions} - held
        self.loop.close()

    def idle(self, _loaded: Any) -> None:
        """Close what neither serves nor answers a call, as the swapper does."""
        for one in self.versions:
            if one not in self.deployment.slots.held and not one.calls:
                self.closed.add(one.version)

    @rule(keeps=st.booleans())
    @precondition(lambda self: not self.deployment.is_draining)
    def swap(self, keeps: bool) -> None:  # noqa: FBT001 - as hypothesis gives it
        """Let a new version be champion, the old one stay as the previous or go."""
        self.number += 1
        new = loaded(str(self.number))
        self.versions.append(new)
        old = self.deployment.slots.champion
        self.deployment.switch(Slots(champion=new, previous=old if keeps else None))

    @rule()
    @precondition(lambda self: self.deployment.slots.champion is not None)
    def call(self) -> None:
        """Begin a call."""
        self.open.append(self.deployment.lease(self.deployment.slots.champion))

    @rule(place=st.integers(0, 1_000))
    @precondition(lambda self: self.open)
    def end(self, place: int) -> None:
        """End any call; a second time changes nothing."""
        lease = self.open.pop(place % len(self.open))
        lease.release()
        lease.release()

    @rule()
    @precondition(lambda self: self.deployment.is_draining)
    def abandon(self) -> None:
        """Wait for a hung call no longer."""
        assert self.deployment.abandon() > 0

    @invariant()
    def no_call_is_made_of_a_closed_version(self) -> None:
        """What answers a call, or may answer the next, is open."""
        assert not self.closed & {lease.loaded.version for lease in self.open}
        assert not self.closed & {one.version for one in self.deployment.slots.held}

    @invariant()
    def at_most_one_generation_drains(self) -> None:
        """Calls of the current generation never count as draining."""
        if not self.open:
            assert not self.deployment.is_draining


TestLeases = Leases.TestCase
TestLeases.settings = settings(max_examples=many(60), stateful_step_count=40, deadline=None)
