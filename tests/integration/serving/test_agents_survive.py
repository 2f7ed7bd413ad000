"""Agents that are killed while something changes, and one that cannot load what the others can."""

from __future__ import annotations

import random
import shutil
import time

import pytest
from packaged import linear
from steady import Steady
from town import Town


def other(town: Town) -> str:
    """Return a version that is not champion."""
    return next(one for one in town.packages if one != town.champion)


def killed(town: Town, after_s: float) -> None:
    """Kill the second agent so long after a decision, start it again, and hold which version it is ready with."""
    agent = town.agents[1]
    time.sleep(after_s)
    agent.kill()
    agent.start()
    agent.until(lambda: agent.ask("/v2/health/ready")[0] == 200)
    with Steady(agent, f"after {town.state.revision}", 1) as asking:
        asking.reach(5)
    assert set(asking.answered.values()) == {town.champion}
    town.applied()


def change(town: Town, delays: tuple[float, float]) -> None:
    """Put another version beside the champion and then in its place; the second agent is killed after each decision."""
    version = other(town)
    model = town.packages[version]
    with Steady(town.agents[0], f"beside {version} at {town.state.revision}") as asking:
        assert town.does("shadow", "ann", model=model).op == "shadow"
        killed(town, delays[0])
        town.does("promote", "ann", model=model)
        killed(town, delays[1])
        assert town.champion == version
    assert asking.failed == {}


def test_an_agent_killed_amid_a_change_comes_back_on_the_right_version(town: Town) -> None:
    """Killed while it prepares, and as it activates: once ready it answers what is so; the other one never fails."""
    change(town, (0.0, 0.0))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_agent_killed_at_any_moment_comes_back_on_the_right_version(town: Town) -> None:
    """The same ten times more, at random moments of loading and switching."""
    rng = random.Random(11)
    for _ in range(10):
        change(town, (rng.uniform(0, 3), rng.uniform(0, 0.3)))


def test_what_one_of_three_cannot_load_is_cancelled_everywhere(town: Town) -> None:
    """A third agent finds damaged bytes in its store: nothing that serves changes, and the audit says who and why.

    Once that agent has left, the others carry the same change out.
    """
    town.knows("8")
    model, before = town.packages["8"], town.champion
    store = town.folder / "damaged"
    shutil.copytree(town.folder / "store", store)
    whole = town.folder / "package-8" / "package" / "model.onnx"
    damaged = next(
        one for one in store.rglob("*") if one.is_file() and one.read_bytes() == whole.read_bytes()
    )
    damaged.chmod(0o600)
    damaged.write_bytes(
        linear(town.folder / "other.onnx").read_bytes()[: whole.stat().st_size].ljust(whole.stat().st_size)
    )
    third = town.agent(store=store)
    town.wait(lambda one: (one.event, one.agent) == ("joined", third.instance))
    town.ready()
    with Steady(town.agents[0], "first") as one, Steady(third, "third") as three:
        asked = town.does("shadow", "ann", model=model)
        moved = town.wait(
            lambda one: one.event == "moved" and (one.revision_after or 0) > (asked.revision_after or 0)
        )
        assert moved.reasons[0].startswith(
            f"revision {asked.revision_after} is cancelled: not all could prepare: {third.instance}: "
        )
        town.applied()
        one.reach(5)
        three.reach(5)
    assert (town.champion, town.state.shadows, town.state.prepares) == (before, (), ())
    assert (one.failed, three.failed) == ({}, {})
    assert {*one.answered.values(), *three.answered.values()} == {before}
    town.agents.remove(third)
    assert third.stop() == 0
    town.wait(lambda one: (one.event, one.agent) == ("left", third.instance))
    town.does("shadow", "ann", model=model)
    assert town.applied().shadows == (model,)
    town.does("retire", "sue", model=model)
    town.applied()
    del town.packages["8"]
