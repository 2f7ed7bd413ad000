"""Pace: which calls the event loop makes itself, by what calls cost, and what sends them back to threads."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import pytest
from served import agent, ones
from wired import Line, posted, run

from driftline.agents.serving.agent import Agent
from driftline.agents.serving.pace import AWAY, HELD_UP_S, Pace

OK = 200


@pytest.mark.parametrize(
    ("rows", "each_s"), [(1, 0.001), (100, 0.001), (10_000, 0.0001), (1, 0.5), (100, 0.5)]
)
def test_a_batch_says_what_a_row_costs(rows: int, each_s: float) -> None:
    """However many rows the calls had, a row of a ms takes a ms; past the bound of a row it counts as that."""
    pace = Pace()
    for _ in range(60):
        pace.took(rows * each_s, rows)
    held_s = min(each_s, 0.002)
    assert pace.is_within(1, held_s * 1.01)
    assert not pace.is_within(1, held_s * 0.99)
    assert not pace.is_within(20, held_s * 19)


def test_a_call_that_held_the_loop_up_sends_the_next_ones_to_threads() -> None:
    """A thousand the first time, two thousand the second time; then the loop asks again, if calls are quick."""
    pace = Pace()
    pace.took(0.0001, 1)
    for times in (1, 2):
        pace.took(HELD_UP_S * 0.9, 1, is_here=True)
        assert pace.is_within(1, 0.001)
        pace.took(HELD_UP_S, 1)
        assert pace.is_within(1, 0.001)
        pace.took(HELD_UP_S, 1, is_here=True)
        for _ in range(times * AWAY):
            assert not pace.is_within(1, 0.001)
            pace.took(0.0001, 1)
        assert pace.is_within(1, 0.001)


def test_a_model_that_is_slow_now_and_then_holds_others_up_once(tmp_path: Path) -> None:
    """One call in ten takes long: the first of them is made by the loop, if no other was held up, and none after it."""
    on_loop: list[float] = []
    calls = [0]

    def now_and_then(inputs: Mapping[str, Any]) -> dict[str, Any]:
        calls[0] += 1
        wait_s = HELD_UP_S if calls[0] > 20 and not calls[0] % 10 else 0.0
        if current_thread() is main_thread():
            on_loop.append(wait_s)
        time.sleep(wait_s)
        return ones(inputs)

    async def whole(_made: Agent, line: Line) -> None:
        for _ in range(60):
            assert (await line.ask(posted()))[0] == OK

    run(lambda: agent(tmp_path), whole, now_and_then)
    assert on_loop
    assert on_loop.count(HELD_UP_S) <= 1
    assert sum(one > 0 for one in on_loop) <= 1


def test_what_fails_quickly_makes_nothing_quick() -> None:
    """A version that refuses rows at once and answers others slowly stays with its threads, as one never asked does."""
    slow, never = Pace(), Pace()
    slow.took(0.3, 1)
    for _ in range(1_000):
        slow.took(1e-6, 1, has_failed=True)
        never.took(1e-6, 1, has_failed=True)
    assert not slow.is_within(1, 0.001)
    assert not never.is_within(1, 0.001)


def test_a_call_that_fails_late_counts_as_one_that_does_not(tmp_path: Path) -> None:
    """Whoever sends rows that make a version raise late holds nobody up: it is asked in threads by then."""
    on_loop: list[int] = []

    def late(_inputs: Mapping[str, Any]) -> dict[str, Any]:
        on_loop.append(current_thread() is main_thread())
        time.sleep(0.005)
        raise ValueError("no")

    async def whole(_made: Agent, line: Line) -> None:
        for _ in range(60):
            assert (await line.ask(posted()))[0] == 500

    run(lambda: agent(tmp_path), whole, late)
    assert len(on_loop) == 60
    assert sum(on_loop) < 20
