"""The watchdog: a loop that stands still ends its process, and nothing else does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from driftline.agents.serving.watchdog import EXIT, LEAST_S, limit_of, watched


def run(blocks_s: float, limit_s: float) -> list[float]:
    """Run a loop that stands still for some time within its life; returns what the watchdog said."""
    said: list[float] = []

    async def whole() -> None:
        with watched(asyncio.get_running_loop(), limit_s, said.append):
            await asyncio.sleep(limit_s / 4)
            time.sleep(blocks_s)  # noqa: ASYNC251 - as a model does that the loop asks
            await asyncio.sleep(limit_s / 4)

    asyncio.run(whole())
    assert not [one for one in threading.enumerate() if one.name == "watchdog"]
    return said


def test_a_loop_that_stands_still_is_told_of() -> None:
    """Once, with for how long it did; a shorter while is none of its business."""
    (still_s,) = run(2.0, 0.8)
    assert 0.8 < still_s < 2.0
    assert run(0.2, 0.8) == []


def test_time_that_passed_for_the_whole_process_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was paused finds its loop as late as its watchdog."""
    paused_s = [0.0]
    clock = time.monotonic
    monkeypatch.setattr("driftline.agents.serving.watchdog.time.monotonic", lambda: clock() + paused_s[0])
    said: list[float] = []

    async def whole() -> None:
        with watched(asyncio.get_running_loop(), 0.8, said.append):
            for _ in range(5):
                paused_s[0] += 100.0
                await asyncio.sleep(0.3)

    asyncio.run(whole())
    assert said == []


def test_how_long_it_may_stand_still() -> None:
    """Three requests' time, and never so short that something else could take it."""
    assert (limit_of(0.1), limit_of(10.0), limit_of(20.0)) == (LEAST_S, 30.0, 60.0)


def test_the_process_ends_and_says_where_it_stood() -> None:
    """With a code of its own, one line of why, and what each thread did."""
    code = (
        "import asyncio, time\n"
        "from driftline.agents.serving.watchdog import watched\n"
        "async def whole():\n"
        "    with watched(asyncio.get_running_loop(), 0.4):\n"
        "        await asyncio.sleep(0.1)\n"
        "        time.sleep(30)\n"
        "asyncio.run(whole())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == EXIT
    assert "the event loop stood still for 0 s" in done.stderr or "stood still for 1 s" in done.stderr
    assert "in whole" in done.stderr
