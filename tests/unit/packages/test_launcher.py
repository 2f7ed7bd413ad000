"""Launchers: children that start without a fork of whoever serves, yield the processor, and end with their owner."""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest

from driftline.agents.serving.package import launcher_child
from driftline.agents.serving.package.errors import PackageError
from driftline.agents.serving.package.launcher import Launcher

BOUND_S = 20.0
HOW = "import os, sys; print(os.sched_getscheduler(0), os.nice(0), sys.stdin.read(), flush=True)"
HEARS = "import sys; print(sys.stdin.read())"
SELECTED = 1_024
"""FD_SETSIZE: how many files select(2) knows."""
SLEEPS = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    """Give a launcher that ends with the test."""
    with closing(Launcher()) as made:
        yield made


def run(launcher: Launcher, begin: str, said: Path, timeout_s: float = BOUND_S) -> int | None:
    """Run a child whose stdin says `asked`, and whose stdout is a file."""
    with ExitStack() as opened:
        asked, told = opened.enter_context(tempfile.TemporaryFile()), opened.enter_context(said.open("wb"))
        asked.write(b"asked")
        asked.seek(0)
        return launcher.run(begin, [asked.fileno(), told.fileno(), told.fileno()], timeout_s)


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    deadline_s = time.monotonic() + BOUND_S
    while not holds():
        assert time.monotonic() < deadline_s, "it did not come to pass"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def launcher_of(owner: int) -> psutil.Process:
    """Wait until a process has a launcher with a child, which may be begun again at any time."""

    def found() -> list[psutil.Process]:
        children = psutil.Process(owner).children()
        return [one for one in children if "launcher_child" in " ".join(one.cmdline()) and one.children()]

    until(found)
    return found()[0]


def pid_in(said: Path) -> int:
    """Wait until a child has told its pid."""
    until(lambda: said.exists() and said.read_text().endswith("\n"))
    return int(said.read_text())


def test_a_child_tells_its_end(launcher: Launcher, tmp_path: Path) -> None:
    """An exit code and a signal come back, and a child has its stdin and stdout."""
    assert run(launcher, HEARS, tmp_path / "said") == 0
    assert (tmp_path / "said").read_text() == "asked\n"
    assert run(launcher, "raise SystemExit(3)", tmp_path / "left") == 3
    assert run(launcher, "import os; os.kill(os.getpid(), 11)", tmp_path / "crashed") == -signal.SIGSEGV


def test_a_child_takes_what_processor_nobody_else_wants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is of the class that runs when no other process would."""
    monkeypatch.setattr(launcher_child, "_PATIENCE_S", math.inf)
    begin = {"begin": SLEEPS, "path": sys.path, "timeout_s": BOUND_S}

    def idle() -> list[psutil.Process]:
        return [one for one in psutil.Process().children() if os.sched_getscheduler(one.pid) == os.SCHED_IDLE]

    with ThreadPoolExecutor(1) as pool, (tmp_path / "said").open("wb+") as said:
        ran = pool.submit(launcher_child._run, begin, [said.fileno()] * 3, is_idle=True)
        until(idle)
        idle()[0].kill()
        assert ran.result() == (-signal.SIGKILL, False)


def test_a_late_child_ends_with_all_it_started(launcher: Launcher, tmp_path: Path) -> None:
    """A child that takes too long is None, and neither it nor what it started is left."""
    said = tmp_path / "said"
    both = "import subprocess\nslept = subprocess.Popen(['sleep', '60'])\nprint(slept.pid, flush=True)\nslept.wait()"
    for timeout_s in (1.0, 4.0, 16.0):  # a full machine may give it no processor in time
        assert run(launcher, both, said, timeout_s) is None
        if said.read_text():
            break
    until(lambda: is_gone(pid_in(said)))


def test_children_do_not_wait_for_each_other(launcher: Launcher, tmp_path: Path) -> None:
    """One that is slow holds up no other one."""
    go = tmp_path / "go"
    waits = f"import os, time\nprint(os.getpid(), flush=True)\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"
    slow = threading.Thread(target=run, args=(launcher, waits, tmp_path / "slow"))
    slow.start()
    pid_in(tmp_path / "slow")
    assert run(launcher, HEARS, tmp_path / "quick") == 0
    assert slow.is_alive()
    go.touch()
    slow.join()


def test_a_killed_launcher_is_told_and_replaced(launcher: Launcher, tmp_path: Path) -> None:
    """A launcher that is killed is one sentence to whoever waits; who asks next gets another one."""
    said = tmp_path / "said"
    failed: list[str] = []

    def waits() -> None:
        try:
            run(launcher, SLEEPS, said)
        except PackageError as error:
            failed.append(str(error))

    waiting = threading.Thread(target=waits)
    waiting.start()
    found = launcher_of(os.getpid())
    found.suspend()
    left = found.children()
    found.kill()
    waiting.join(BOUND_S)
    assert failed == ["no child that asks the model could be started: its launcher ended"]
    for child in left:  # it did not ask the system to end it, as a trial does
        child.kill()
    assert launcher_child._ends(found.pid, BOUND_S)
    assert run(launcher, HEARS, tmp_path / "again") == 0


def test_a_process_of_many_connections_tries_packages_too(launcher: Launcher, tmp_path: Path) -> None:
    """The numbers of its files may lie beyond what select(2) can take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * SELECTED), hard))
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(SELECTED)]
    try:
        assert run(launcher, HEARS, tmp_path / "said") == 0
    finally:
        for number in taken:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_launcher_ends_with_its_owner(tmp_path: Path) -> None:
    """A process that is killed leaves no launcher."""
    owner = (
        "import sys\nfrom driftline.agents.serving.package.launcher import Launcher\n"
        "Launcher().run(sys.argv[1], [0, 1, 2], 60)"
    )
    said = tmp_path / "said"
    with said.open("wb") as told:
        process = subprocess.Popen([sys.executable, "-c", owner, SLEEPS], stdout=told)
    found = launcher_of(process.pid)
    found.suspend()
    left = found.children()
    process.kill()
    process.wait(BOUND_S)
    found.resume()
    until(lambda: is_gone(found.pid))
    for child in left:
        child.kill()


def test_a_child_that_starves_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that finds no processor is begun again as everybody's equal: it hears all, and only it is heard."""
    monkeypatch.setattr(launcher_child, "_LOOK_S", 0.05)
    monkeypatch.setattr(launcher_child, "_turns", lambda _pid: launcher_child._Turns(0.0, time.monotonic()))
    heard, told = os.pipe()
    (tmp_path / "asked").write_bytes(b"asked")
    files = [os.open(tmp_path / "asked", os.O_RDONLY), os.open(tmp_path / "said", os.O_RDWR | os.O_CREAT)]
    begin = f"import os\nos.write(1, b'begun ')\nimport time\ntime.sleep(1)\n{HOW}"
    asked = {"begin": begin, "path": sys.path, "timeout_s": BOUND_S}
    launcher_child._carry_out(asked, [*files, os.dup(files[1]), told])
    with os.fdopen(heard, "rb") as answer:
        assert json.loads(answer.read()) == {"code": 0}
    assert (tmp_path / "said").read_text() == f"begun {os.SCHED_OTHER} {os.nice(0)} asked\n"


def test_who_waits_for_a_processor_starves() -> None:
    """Starving is to have waited beyond the patience, and to wait on longer than one has a processor."""
    turns = launcher_child._Turns
    assert turns(0.1, 1.2).starves_since(turns(0.05, 1.0))
    assert turns(5.0, 1.2).starves_since(turns(4.9, 1.0))
    assert not turns(0.1, 0.9).starves_since(turns(0.05, 0.7)), "not long yet"
    assert not turns(0.1, 1.2).starves_since(turns(0.05, 1.2)), "it sleeps"
    assert not turns(0.4, 1.2).starves_since(turns(0.1, 1.0)), "it has most of a processor"


def test_turns_are_the_kernels() -> None:
    """A process's turns are told by the kernel; of one that has ended there are none."""
    assert launcher_child._turns(os.getpid()).ran_s > 0
    assert launcher_child._turns(2**22 + 1) == (0.0, 0.0)
