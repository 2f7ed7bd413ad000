"""A run of the demo as a stranger starts it, and what it leaves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from driftline.deploy.demo.alertmanager import PROGRAM
from driftline.deploy.local.datadir import DataDirectory
from driftline.deploy.local.discover import running_state
from driftline.deploy.local.state import StackState

PARTS = {"kafka", "clickhouse", "drift", "accuracy", "alerts", "archive"}


class Run(NamedTuple):
    """One run of the demo: its folder, and the processes of its stack, as they were while it worked."""

    folder: Path
    processes: list[psutil.Process]


def ran(home: Path) -> Run:
    """Run it in an empty directory until it ends."""
    folder = home / ".driftline" / "demo"
    with (home / "output.txt").open("w") as output, (home / "errors.txt").open("w") as errors:
        demo = subprocess.Popen(
            [sys.executable, "-m", "driftline.deploy.cli", "demo"],
            cwd=home,
            env={**os.environ, "COLUMNS": "80"},
            stdout=output,
            stderr=errors,
        )
        processes: list[psutil.Process] = []
        try:
            state = running(DataDirectory(folder), demo)
            if state is not None:
                processes = all_of(state, demo)
                demo.wait(450)
        finally:
            demo.kill()
            demo.wait(10)
    said = (home / "errors.txt").read_text() + (home / "output.txt").read_text()
    assert demo.returncode == 0, said
    return Run(folder, processes)


def running(directory: DataDirectory, demo: subprocess.Popen[bytes]) -> StackState | None:
    """Wait until every part of the demo's stack runs; None when it does not."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and demo.poll() is None:
        state = running_state(directory)
        if (
            state is not None
            and state.phase == "running"
            and {part.name for part in state.components} == PARTS
        ):
            return state
        time.sleep(0.1)
    return None


def all_of(state: StackState, demo: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Everything that the demo started: Alertmanager where it is installed, and the supervisor with all below it."""
    processes = psutil.Process(demo.pid).children(recursive=True)
    assert {state.pid, *(part.pid for part in state.components)} <= {process.pid for process in processes}
    told = any(PROGRAM in _line(process) for process in processes)
    assert told is (shutil.which(PROGRAM) is not None)
    return processes


def _line(process: psutil.Process) -> str:
    """Return the command line of a process; of one that ends meanwhile there is none."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def still_alive(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Which of them run after waiting at most so long; one that ended and was not waited for does not."""
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
