"""The demo's steps on a console: numbered, timed, and no wider than the console is."""

from __future__ import annotations

import pytest
from rich.console import Console

from driftline.deploy.demo.phases import Phases


def test_a_step_is_announced_and_timed_even_if_it_fails() -> None:
    """Its number and words are printed, what it says is wrapped below, and its seconds are kept when it raises."""
    console = Console(width=40, record=True, force_terminal=False)
    phases = Phases(console, 2)

    def work() -> None:
        with phases.step("start", "Start"):
            phases.say("a sentence that is longer than the forty columns of this console")
            raise RuntimeError

    with console.capture() as captured, pytest.raises(RuntimeError):
        work()
    first, *said = captured.get().splitlines()
    assert first == "[1/2] Start"
    assert len(said) > 1
    assert all(line.startswith("      ") and len(line) <= 40 for line in said)
    assert phases.seconds["start"] >= 0
