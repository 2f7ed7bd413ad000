"""Supervision without a broker: when a component is started again, and that children die with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from driftline.deploy.local.component import Component, stop_together
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.spawn import Process, spawn_guarded
from driftline.deploy.local.supervisor import in_order_of_stopping
from driftline.deploy.local.watched import Watched

SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]


class Sleeper(Component):
    """A component that sleeps, or does what it is told."""

    name = "sleeper"
    ready_seconds = 5.0

    def __init__(self, log: Path, command: list[str] | None = None) -> None:
        super().__init__(log)
        self.command = command or SLEEPER
        self.answers = True

    def launch(self) -> Process:
        """Start the command."""
        return spawn_guarded(self.command, cwd=self.log.parent, log=self.log)

    def is_ready(self) -> bool:
        """Answer as the test says."""
        return self.alive and self.answers

    def ended(self) -> None:
        """Hold nothing."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Give the path of a log."""
    return tmp_path / "logs" / "sleeper.log"


def test_what_counts_stops_together_and_what_hears_of_it_after(log: Path) -> None:
    """The board, drift and accuracy stop at once; then alerts, the archive, Kafka and ClickHouse, one by one."""
    watched = []
    for name in ("board", "drift", "accuracy", "alerts", "archive", "kafka", "clickhouse"):
        component = Sleeper(log)
        component.name = name
        watched.append(Watched(component, "", lambda: 0.0))
    groups = [[each.component.name for each in group] for group in in_order_of_stopping(watched)]
    assert groups == [["board", "drift", "accuracy"], ["alerts"], ["archive"], ["kafka"], ["clickhouse"]]
    assert in_order_of_stopping([]) == []


def test_one_that_cannot_be_stopped_keeps_no_other_from_it(log: Path) -> None:
    """All of those that stop together are stopped, and the error is raised once they are."""

    class Stuck:
        def stop(self) -> None:
            raise StackError("it cannot be stopped")

    sleeper = Sleeper(log)
    sleeper.start()
    with pytest.raises(StackError, match="cannot be stopped"):
        stop_together([Stuck(), sleeper])
    assert not sleeper.alive


def test_an_ended_component_waits_and_starts_again(log: Path) -> None:
    """An end is noted, waited for with back-off, and followed by a start under another pid."""
    component = Sleeper(log)
    watched = Watched(component, "", lambda: 0.0)
    try:
        watched.start(now=0.0)
        watched.look(now=0.1)
        assert watched.phase == "running"
        first = component.pid
        component.kill()
        watched.look(now=1.0)
        assert watched.phase == "waiting"
        assert watched.state.exit_code == -signal.SIGKILL
        assert watched.state.next_start == 1.25
        watched.look(now=1.2)
        assert watched.phase == "waiting"
        watched.look(now=1.25)
        watched.look(now=1.3)
        assert (watched.phase, watched.restarts) == ("running", 1)
        assert component.pid not in (None, first)
        watched.stop()
        assert watched.phase == "stopped"
        assert component.pid is None
    finally:
        component.kill()


def test_a_component_that_does_not_answer_is_ended(log: Path) -> None:
    """A start that is not answered in time is killed and tried again."""
    component = Sleeper(log)
    component.answers = False
    watched = Watched(component, "", lambda: 0.0)
    try:
        watched.start(now=0.0)
        watched.look(now=1.0)
        assert watched.phase == "starting"
        watched.look(now=5.1)
        watched.look(now=5.2)
        assert watched.phase == "waiting"
    finally:
        component.kill()


def test_a_failed_start_tells_the_end_of_the_log(log: Path) -> None:
    """A component that ends while it starts is one sentence, with the end of its log beside it."""
    component = Sleeper(log, [sys.executable, "-S", "-c", "print('no disk'); raise SystemExit(3)"])
    component.answers = False
    with pytest.raises(StackError, match="exit code 3") as caught:
        component.start()
    assert caught.value.tail == "no disk"


def test_a_paused_component_can_be_stopped(log: Path) -> None:
    """A frozen process is woken before it is asked to stop."""
    component = Sleeper(log)
    component.start()
    component.pause()
    component.stop()
    assert not component.alive
    assert component.exit_code == -signal.SIGTERM


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    """After kill -9 of a parent its guarded child is gone, even one that ignores every signal it can."""
    stubborn = (
        "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)];"
        "print('up', flush=True); time.sleep(600)"
    )
    parent = (
        "import sys, time; from pathlib import Path; from driftline.deploy.local.spawn import spawn_guarded;"
        f"child = spawn_guarded([sys.executable, '-S', '-c', {stubborn!r}], cwd=Path.cwd(), log=Path('child.log'));"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        child = psutil.Process(int(process.stdout.readline()))
        deadline = time.monotonic() + 10
        while "up" not in (tmp_path / "child.log").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert not child.is_running() or psutil.wait_procs([child], timeout=5)[0]


def test_a_child_may_be_started_by_a_thread_that_ends(log: Path) -> None:
    """A child outlives the thread that asked for it: the kernel's tie is to the thread that started it."""
    from threading import Thread

    component = Sleeper(log)
    try:
        thread = Thread(target=component.start)
        thread.start()
        thread.join(10)
        # The signal of a wrong tie is there before join returns; a round through the kernel lets it act.
        with pytest.raises(psutil.TimeoutExpired):
            psutil.Process(component.pid).wait(0.2)
        assert component.alive
    finally:
        component.kill()
