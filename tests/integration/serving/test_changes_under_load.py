"""P5 on the real stack: agents as processes, a controller, signed and approved commands, and callers who never stop."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from callers import Answers, call, large, padded, small
from office import EVIDENCE
from rig import say
from town import STEPS, Town

from driftline.schemas.control.command import Op
from driftline.schemas.control.serving_state import ServingState
from driftline.schemas.settings import Settings

SMALL, LARGE, SLOW = 12, 1, 2
"""Connections to each instance, by kind: of one row, with a body of over 1 MB, reading slowly."""
SLOW_ROWS = 20_000
MEMORY_BYTES = 32 << 20
"""How far an agent's memory may lie above what it was at half of the changes, when each version had served: until then
each brings an Emitter for each of its slots, threads that nobody needed before, and what they keep of the largest
requests. Callers with large bodies go on adding a little, ever less: 20 MB over changes 60 to 160."""


@dataclass
class Changes:
    """Changes of what serves, one after another, each applied by all before the next."""

    town: Town
    versions: tuple[str, ...]
    count: int = 0
    _at: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self._at = itertools.cycle(self.versions)

    def round(self, number: int) -> None:
        """Let the next version be champion after a canary that passes, or after a shadow; now and then go back."""
        town, before = self.town, self.town.champion
        version = next(one for one in self._at if one != before)
        model, champion = town.packages[version], town.packages[before]
        if any(one.stage == "rolled_back" and one.model == model for one in town.state.versions):
            town.does("validate", "val", model=model, evidence=EVIDENCE)
        if number % 2:
            self._did("canary", "ann", model=model, plan=STEPS)
            for _ in STEPS.steps:
                town.passes_a_step(version, before)
                self.count += 1
        else:
            self._did("shadow", "ann", model=model)
        self._did("promote", "ann", model=model)
        if number % 3 == 1:
            self._did("rollback", "oli", model=champion)

    def _did(self, op: Op, who: str, **fields: Any) -> None:
        self.town.does(op, who, **fields)
        self.town.applied()
        self.count += 1


def answering(state: ServingState) -> set[str]:
    """Return the versions that answer callers by a state."""
    found = {state.champion.version} if state.champion is not None else set()
    return found | ({state.rollout.model.version} if state.rollout is not None else set())


def was_live(town: Town, instance: str) -> list[tuple[float, float, set[str]]]:
    """Return what may answer at an instance, and from when to when (s since 1970), by the audit and its own acks."""
    acks = [one for one in town.acks() if one.instance == instance and one.outcome == "activated"]
    found = []
    for state in town.states():
        if state.phase == "activate":
            later = [one.at_ms for one in acks if one.revision > state.revision]
            found.append((state.decided_at_ms / 1e3, min(later, default=10**13) / 1e3, answering(state)))
    return found


async def under_load(town: Town, changes: Changes, wanted: int, requests: int) -> list[Answers]:
    """Change what serves while callers ask, until there were as many of both; return what callers saw at each agent."""
    answers = [Answers() for _ in town.agents]
    changed = False
    before_bytes: list[int] = []
    loads = []

    def go_on() -> bool:
        return not changed or sum(len(one.seen) for one in answers) < requests

    for agent, seen in zip(town.agents, answers, strict=True):
        loads += [call(agent.port, small(f"caller {n}"), seen, go_on) for n in range(SMALL)]
        loads += [call(agent.port, padded(f"large {n}"), seen, go_on) for n in range(LARGE)]
        slow = [large(f"slow {n}", SLOW_ROWS) for n in range(SLOW)]
        loads += [call(agent.port, one, seen, go_on, pause_s=0.1) for one in slow]
    callers = [asyncio.ensure_future(load) for load in loads]
    for number in itertools.count(1):
        await asyncio.to_thread(changes.round, number)
        if not before_bytes and number >= len(changes.versions) - 1 and 2 * changes.count >= wanted:
            before_bytes = [psutil.Process(one.process.pid).memory_info().rss for one in town.agents]
        if changes.count >= wanted and number >= len(changes.versions) - 1:
            break
        assert not any(one.failed for one in answers), [one.failed[:3] for one in answers]
    changed = True
    await asyncio.gather(*callers)
    for agent, held in zip(town.agents, before_bytes, strict=True):
        now = psutil.Process(agent.process.pid).memory_info().rss
        say(f"{agent.instance}: {held >> 20} MB, then {now >> 20} MB")
        assert now < held + MEMORY_BYTES
    return answers


def hold(town: Town, versions: tuple[str, ...], wanted: int, requests: int) -> None:
    """Change what serves under load, and hold what must be so afterwards."""
    changes = Changes(town, versions)
    began_s = time.monotonic()
    answers = asyncio.run(under_load(town, changes, wanted, requests))
    took_s = time.monotonic() - began_s
    seen = [one for each in answers for one in each.seen]
    failed = [one for each in answers for one in each.failed]
    say(f"{len(seen)} requests, {changes.count} changes, {len(failed)} failed, {took_s:.1f} s")
    assert failed == []
    offset_s = time.time() - time.monotonic()
    for agent, each in zip(town.agents, answers, strict=True):
        live = was_live(town, agent.instance)
        for asked_s, answered_s, version, value in each.seen:
            assert version == str(int(value))
            since_s, until_s = asked_s + offset_s, answered_s + offset_s
            assert any(
                version in held and begin_s <= until_s and end_s + 0.002 >= since_s
                for begin_s, end_s, held in live
            ), (agent.instance, version, since_s, until_s)
    assert {one[2] for one in seen} == set(versions)
    town.hall.agree()


def test_a_few_changes_lose_no_request(town: Town) -> None:
    """A canary that passes, a promotion and a rollback: no request fails, each answer's version was live."""
    hold(town, ("1", "2"), 5, 2_000)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_fifty_changes_lose_none_of_a_hundred_thousand_requests(lane: Settings, tmp_path: Path) -> None:
    """The same at full length."""
    versions = tuple(str(number) for number in range(1, 8))
    with closing(Town(lane, tmp_path)) as town:
        town.opens(*versions)
        hold(town, versions, 50, 100_000)
