"""Workers as real processes that can be killed, paused, joined; and the check of what they left against the facts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from driftline.schemas.settings import Settings
from driftline.streams.clickhouse.client import Client
from driftline.streams.windows.counters import Counters

if TYPE_CHECKING:
    from facts import Facts, Window


say = print  # pytest shows it when the test fails, and -s at once


class Crew:
    """Worker processes of one lane, by role; started with the lane's environment, ended by pid."""

    def __init__(self, env: Mapping[str, str], logs: Path) -> None:
        self.environment, self._logs = dict(env), logs
        self.members: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self, role: str) -> subprocess.Popen[bytes]:
        """Start one worker of a role ("drift", "archive")."""
        log = (self._logs / f"{role}-{len(self.members)}.log").open("ab")
        command = [sys.executable, "-m", "driftline.deploy.cli", "worker", role]
        process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, cwd=self._logs)
        log.close()
        self.members.append((role, process))
        return process

    def alive(self, role: str) -> list[subprocess.Popen[bytes]]:
        """Workers of a role that have not ended."""
        return [process for name, process in self.members if name == role and process.poll() is None]

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End it with SIGKILL."""
        process.kill()
        process.wait(10)

    def pause(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        """Stop it for longer than its session, then let it go on."""
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGCONT)

    def leave(self, process: subprocess.Popen[bytes]) -> None:
        """Ask it to stop, as a scale-down does."""
        process.terminate()
        process.wait(30)

    def keep(self, role: str, count: int) -> None:
        """Start what is missing of a role, as a supervisor would."""
        for _ in range(count - len(self.alive(role))):
            self.start(role)

    def dismiss(self) -> None:
        """End every worker that still lives."""
        for _, process in self.members:
            if process.poll() is None:
                process.terminate()
        for _, process in self.members:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill(process)

    def tails(self, lines: int = 15) -> str:
        """The ends of all logs, for a failure's message."""
        texts = []
        for log in sorted(self._logs.glob("*.log")):
            end = "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
            texts.append(f"== {log.name}\n{end}")
        return "\n".join(texts)


def published(settings: Settings) -> dict[Window, int]:
    """Rows of every counted window as ClickHouse has them, newest version only."""
    with Client(settings.clickhouse) as client:
        found = client.query(
            "SELECT deployment, model_version, resolution, toUnixTimestamp64Milli(window_start) AS start_ms, rows "
            "FROM windows_now WHERE resolution IN ('5m', '1h', '1d')"
        )
    names = ("deployment", "model_version", "resolution", "start_ms")
    return {tuple(row[name] for name in names): row["rows"] for row in found}


def archived(settings: Settings) -> dict[str, int]:
    """Rows of `predictions` by deployment."""
    with Client(settings.clickhouse) as client:
        found = client.query("SELECT deployment, count() AS rows FROM predictions GROUP BY deployment")
    return {row["deployment"]: row["rows"] for row in found}


def dead_letters(settings: Settings) -> dict[tuple[int, int], str]:
    """Reasons of the dead letters of `predictions`, by partition and offset."""
    with Client(settings.clickhouse) as client:
        found = client.query("SELECT topic, partition, offset, reason FROM dead_letters_now")
    return {
        (row["partition"], row["offset"]): row["reason"]
        for row in found
        if row["topic"].endswith("predictions")
    }


def counted(settings: Settings, facts: Facts) -> dict[Window, Counters]:
    """The counters that the published windows carry, of those windows that the facts have counters of."""
    names = ("deployment", "model_version", "resolution", "start_ms")
    with Client(settings.clickhouse) as client:
        found = client.query(
            "SELECT deployment, model_version, resolution, "
            "toUnixTimestamp64Milli(window_start) AS start_ms, counts FROM windows_now",
            formats={"counts": "bytes"},
        )
    return {
        window: Counters.from_bytes(facts.counters[window].layout, row["counts"])
        for row in found
        if (window := tuple(row[name] for name in names)) in facts.counters
    }


def merges_wrong(settings: Settings) -> list[str]:
    """Deployments whose weeks, or months, do not add up to their days as published."""
    with Client(settings.clickhouse) as client:
        found = client.query(
            "SELECT deployment, sumIf(rows, resolution = '1d') AS days, sumIf(rows, resolution = '7d') AS weeks, "
            "sumIf(rows, resolution = '1M') AS months FROM windows_now GROUP BY deployment"
        )
    return [
        f"{row['deployment']}: {row['days']} rows in days, {row['weeks']} in weeks, {row['months']} in months"
        for row in found
        if not row["days"] == row["weeks"] == row["months"]
    ]


def differences(settings: Settings, facts: Facts) -> list[str]:
    """What still differs between ClickHouse and the facts; nothing when both are equal, `==`."""
    windows, rows = published(settings), archived(settings)
    wrong = [
        f"predictions {name}: {rows.get(name, 0)} of {facts.rows[name]}"
        for name in facts.rows.keys() | rows.keys()
        if rows.get(name, 0) != facts.rows[name]
    ]
    wrong += [
        f"window {window}: {windows.get(window, 0)} of {facts.windows[window]}"
        for window in facts.windows.keys() | windows.keys()
        if windows.get(window, 0) != facts.windows[window]
    ]
    wrong += merges_wrong(settings)
    letters = dead_letters(settings)
    wrong += [
        f"dead letter {place}: {letters.get(place)} for {facts.refused.get(place)}"
        for place in letters.keys() | facts.refused.keys()
        if letters.get(place) != facts.refused.get(place)
    ]
    if wrong or not facts.counters:
        return wrong
    found = counted(settings, facts)
    return [f"counters of {window}" for window, want in facts.counters.items() if found.get(window) != want]


def settle(check: Callable[[], list[str]], seconds: float) -> list[str]:
    """Wait until a check finds nothing wrong, or time runs out; returns what it found last.

    At most a fifth of the time is spent checking, so that it does not slow down what it waits for.
    """
    deadline = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        if not (wrong := check()) or time.monotonic() > deadline:
            return wrong
        time.sleep(min(max(0.5, 4 * (time.monotonic() - asked)), 3.0))
