"""The runtime state file `stack.json`: what runs, where, since when; written whole, read by every command."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
import psutil

from driftline.agents.atomic import write_atomically

FORMAT = 1
# Kernels count starts in ticks of 10 ms; two readings of one process may differ by that.
_START_SLACK_SECONDS = 0.05

Phase = Literal["starting", "running", "waiting", "stopping", "stopped", "outside"]


class ComponentState(msgspec.Struct, frozen=True, kw_only=True):
    """One component as its supervisor sees it.

    Attributes:
        name: "kafka", "clickhouse", "board", or the role of a worker.
        phase: "waiting" means it ended and will be started again at `next_start`.
        pid: its process, None when there is none.
        address: where it listens, "" when it does not.
        started: seconds since the epoch, None when it does not run.
        restarts: starts after the first.
        exit_code: of the process that ended last; negative for a signal.
        next_start: seconds since the epoch.
        log: its log file, "" for an outside one.

    """

    name: str
    phase: Phase
    pid: int | None = None
    address: str = ""
    started: float | None = None
    restarts: int = 0
    exit_code: int | None = None
    next_start: float | None = None
    log: str = ""


class StackState(msgspec.Struct, frozen=True, kw_only=True):
    """The whole stack.

    Attributes:
        pid: the supervisor.
        pid_started: when that process started, so that a reused pid is not taken for it.
        bootstrap: address of Kafka.
        clickhouse_host: host of ClickHouse.
        clickhouse_port: its HTTP port.
        secure: whether one needs a user, whose file lies in the data directory.

    """

    format: int = FORMAT
    pid: int
    pid_started: float
    phase: Phase
    started: float
    bootstrap: str
    clickhouse_host: str
    clickhouse_port: int
    secure: bool = False
    components: list[ComponentState] = []


def write_state(file: Path, state: StackState) -> None:
    """Replace the state file."""
    write_atomically(file, msgspec.json.format(msgspec.json.encode(state), indent=2))


def read_state(file: Path) -> StackState | None:
    """Return the state, None when there is no file or it is of another format."""
    try:
        state = msgspec.json.decode(file.read_bytes(), type=StackState)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return state if state.format == FORMAT else None


def process_started(pid: int) -> float | None:
    """Return when a process started, in seconds since the epoch; None when there is no such process."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except psutil.Error:
        return None


def supervisor_lives(state: StackState) -> bool:
    """Say whether the supervisor that wrote the state still runs."""
    started = process_started(state.pid)
    return started is not None and abs(started - state.pid_started) < _START_SLACK_SECONDS
