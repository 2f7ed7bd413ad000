"""One child process of the local stack: start, readiness with a deadline, stop, and the injuries that tests need."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from driftline.deploy.local.errors import StackError, tail_of
from driftline.deploy.local.spawn import Process

_POLL_SECONDS = 0.02


class Component(ABC):
    """A named child process with a log.

    Attributes:
        name: how people know it ("kafka").
        log: file its output is appended to.
        ready_seconds: how long a start may take.
        stop_seconds: how long a clean stop may take before it is killed.

    """

    name: str
    ready_seconds: float = 60.0
    stop_seconds: float = 20.0

    def __init__(self, log: Path) -> None:
        """Remember the log; nothing is started."""
        self.log = log
        self._process: Process | None = None

    @abstractmethod
    def launch(self) -> Process:
        """Start the process and return it without waiting until it is ready."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Say whether the process answers, and is the one that was started."""

    def ask_to_stop(self) -> None:
        """Ask the process to end cleanly."""
        if self._process is not None:
            self._process.terminate()

    @property
    def pid(self) -> int | None:
        """Id of the living process, None when there is none."""
        return self._process.pid if self._process is not None and self.alive else None

    @property
    def alive(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code of the process that ended last, None while it lives or before it was started."""
        return None if self._process is None else self._process.poll()

    def begin(self) -> None:
        """Start the process; a living one is left as it is."""
        if not self.alive:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self._process = self.launch()

    def wait_ready(self) -> None:
        """Wait until the process answers.

        Raises:
            StackError: it ended or did not answer in time; `tail` holds the end of its log.

        """
        deadline = time.monotonic() + self.ready_seconds
        while not self.is_ready():
            if not self.alive:
                raise self._failure(f"{self.name} ended with exit code {self.exit_code} while it started")
            if time.monotonic() > deadline:
                self.kill()
                raise self._failure(
                    f"{self.name} did not answer within {self.ready_seconds:.0f} s of its start"
                )
            time.sleep(_POLL_SECONDS)

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        self.begin()
        self.wait_ready()

    def stop(self) -> None:
        """Stop the process cleanly; kill it when that takes too long. Does nothing when it is not there."""
        if self._process is None:
            return
        if self.alive:
            self.resume()
            self.ask_to_stop()
            try:
                self._process.wait(self.stop_seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        self.ended()

    def kill(self) -> None:
        """End the process with SIGKILL, as a crash would, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self.ended()

    def restart(self) -> None:
        """Stop the process when it lives and start it again: same port, same data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the process (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    @abstractmethod
    def ended(self) -> None:
        """Release what belonged to the process that ended; may be called again."""

    def _signal(self, number: signal.Signals) -> None:
        pid = self.pid
        if pid is not None:
            os.kill(pid, number)

    def _failure(self, sentence: str) -> StackError:
        return StackError(f"{sentence}: see the end of {self.log}", tail_of(self.log))


class Stoppable(Protocol):
    """What can be stopped."""

    def stop(self) -> None:
        """Stop it cleanly, and wait until it is gone."""


def stop_together(those: Sequence[Stoppable]) -> None:
    """Stop several at the same time; all of them are, also when one raises, which is raised then."""
    if not those:
        return
    with ThreadPoolExecutor(len(those), thread_name_prefix="driftline-stop") as pool:
        stops = [pool.submit(one.stop) for one in those]
    for one in stops:
        one.result()
