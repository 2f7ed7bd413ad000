"""P5: swaps, canaries and rollbacks under load lose no request, and nothing answers that is not live."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from believing import Life
from callers import Answers, call, large, small
from office import PLAN, Office
from served import Package, constant, running
from signed import model

SMALL, LARGE, SLOW = 12, 2, 4
"""Connections to each instance, by kind: of one row, with a body of over 1 MB, reading slowly."""
SLOW_ROWS = 20_000
MEMORY_BYTES = 64 << 20
"""How far memory may lie above what it was: a few large requests are on their way in each of two instances."""


class Stage:
    """Two instances, the versions that are live, and since when."""

    def __init__(self, folder: Path, versions: int) -> None:
        self.office = Office("low")
        self.packages = {
            str(n): Package(str(n), constant(float(n)), tier="low") for n in range(1, versions + 1)
        }
        self.lives = []
        for name in ("a", "b"):
            (folder / name).mkdir()
            self.lives.append(
                Life(folder / name, self.office, *self.packages.values(), keeps=False, request_seconds=60)
            )
        self.live: list[tuple[float, frozenset[str]]] = []
        self._shown = 0

    async def show(self) -> None:
        """Show both instances what was published since; remember what may answer meanwhile and afterwards."""
        told, self._shown = self.office.told[self._shown :], len(self.office.told)
        for decision in told:
            state = decision.after
            if state is None:
                continue
            answering = {state.champion.version} if state.champion is not None else set()
            answering |= {state.rollout.model.version} if state.rollout is not None else set()
            before = self.live[-1][1] if self.live else frozenset()
            self.live.append((time.monotonic(), before | answering))
            for life in self.lives:
                await life.sees(decision)
                assert life.post.acks[-1].outcome in ("prepared", "activated"), life.post.acks[-1]
            self.live.append((time.monotonic(), frozenset(answering)))

    def was_live(self, version: str, since_s: float, until_s: float) -> bool:
        """Whether a version was live at some time of a span."""
        starts = [at_s for at_s, _ in self.live] + [float("inf")]
        return any(
            version in held and starts[place] <= until_s and starts[place + 1] >= since_s
            for place, (_, held) in enumerate(self.live)
        )

    def counted(self) -> tuple[Counter[str], Counter[str]]:
        """Return the rows that the instances recorded as answered, by version, and the requests by HTTP's status."""
        rows, requests = Counter[str](), Counter[str]()
        for life in self.lives:
            life.agent.recorder.flush()
            rows.update({name: n for (name, status), n in life.kept.counts.items() if status == "ok"})
            for family in life.agent.metrics.requests.collect():
                requests.update({one.labels["code"]: int(one.value) for one in family.samples})
        return rows, requests

    async def change(self, number: int) -> None:
        """Make one change: a promotion, with a canary before it or a rollback after it now and then."""
        office, version = self.office, str(number)
        office.registered(version)
        if number % 5 == 0:
            office.does("canary", "ann", model=model(version), plan=PLAN)
            await self.show()
            office.stepped()
            await self.show()
            office.stepped()
        office.does("promote", "ann", model=model(version))
        await self.show()
        if number % 4 == 0:
            previous = office.state.previous
            assert previous is not None
            office.does("rollback", "oli", model=previous)
            await self.show()


async def under_load(folder: Path, swaps: int, requests: int) -> Answers:
    """Swap while callers ask, until there were as many of both; hold what must be so afterwards."""
    stage, answers = Stage(folder, swaps + 1), Answers()
    for life in stage.lives:
        life.hears()
    stage.office.created("1")
    await stage.show()
    changed = False
    loads = []
    async with running(stage.lives[0].agent) as one, running(stage.lives[1].agent) as two:

        def go_on() -> bool:
            return not changed or len(answers.seen) < requests

        slow = [large(f"slow {n}", SLOW_ROWS) for n in range(SLOW)]
        for port in (one, two):
            loads += [call(port, small(f"caller {n}"), answers, go_on) for n in range(SMALL)]
            loads += [call(port, large(f"large {n}"), answers, go_on) for n in range(LARGE)]
            loads += [call(port, wanted, answers, go_on, pause_s=0.001) for wanted in slow]
        callers = [asyncio.ensure_future(load) for load in loads]
        await answers.reached(requests // 10)
        gc.collect()
        before_bytes = psutil.Process().memory_info().rss
        for number in range(2, swaps + 2):
            reached = len(answers.seen) + max(1, requests // (2 * swaps))
            await stage.change(number)
            await answers.reached(reached)
        changed = True
        await asyncio.gather(*callers)
        await asyncio.sleep(0)
        for life in stage.lives:
            assert life.agent.bodies.held == 0
            assert life.agent.app.in_flight == 0
            assert not life.slots.champion.calls
            assert {one.version for one in life.slots.held} == life.agent.swappers["churn"].versions
        gc.collect()
        assert psutil.Process().memory_info().rss < before_bytes + MEMORY_BYTES
    for life in stage.lives:
        await life.controlled.close()
    assert answers.failed == []
    for asked_s, answered_s, version, value in answers.seen:
        assert version == str(int(value))
        assert stage.was_live(version, asked_s, answered_s), (version, asked_s, answered_s)
    assert stage.counted() == (answers.rows, {"200": len(answers.seen)})
    assert len({version for _, _, version, _ in answers.seen}) > swaps // 2
    return answers


def test_a_few_swaps_lose_no_request(tmp_path: Path) -> None:
    """Five changes under a mixed load on two instances: no request fails, and each answer's version was live."""
    asyncio.run(under_load(tmp_path, swaps=5, requests=700))


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_fifty_swaps_lose_none_of_a_hundred_thousand_requests(tmp_path: Path) -> None:
    """The same at full length."""
    asyncio.run(under_load(tmp_path, swaps=50, requests=100_000))
