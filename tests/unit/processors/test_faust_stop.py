"""A worker that is told to stop ends, whatever holds it up."""

from __future__ import annotations

import subprocess
import sys

HELD_UP = """
import logging, threading
from driftline.streams.processors.faust_stop import end_within
logging.basicConfig()
end_within(0.2)
threading.Event().wait({})
"""


def run(waits_s: str) -> subprocess.CompletedProcess[str]:
    """Run a process whose main thread waits for so long after it was told to stop."""
    command = [sys.executable, "-c", HELD_UP.format(waits_s)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_stop_that_takes_too_long_ends_the_process() -> None:
    """Its main thread waits for ever; the process ends as one that was told to, and the log says how."""
    done = run("")
    assert done.returncode == 0
    assert "stopping took more than 0.2 s" in done.stderr


def test_a_stop_in_time_is_left_alone() -> None:
    """What ends by itself is not waited for, and says nothing."""
    done = run("0.01")
    assert (done.returncode, done.stderr) == (0, "")
