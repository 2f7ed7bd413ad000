"""Which advice starts which command, once, and what a command gets and may do."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
import pytest

from driftline.agents.retrain.choice import choose
from driftline.agents.retrain.commands import Commands, Entry, RetrainError, must_start, read_commands
from driftline.agents.retrain.memory import Memory, held
from driftline.agents.retrain.run import MOST_BYTES, run
from driftline.schemas.advice import Advice
from driftline.schemas.settings import Settings, load

NOW_MS = 1_800_000_000_000
ENTRY = Entry(deployments=("flights",), argv=("true",), cooldown_s=3_600)
COMMANDS = Commands(commands={"flights": ENTRY})


def advice(**over: Any) -> Advice:
    """An advice to retrain that was made just now."""
    given: dict[str, Any] = {
        "deployment": "flights", "model_version": "1", "slot": "champion", "resolution": "1M",
        "window_start_ms": 0, "window_end_ms": 1, "advice": "retrain", "reasons": (), "fell": None, "gains": (),
        "features": (), "since_ms": 0, "labels": 0, "coverage": None, "expected_per_year": None,
        "id": "edge-1", "made_at_ms": NOW_MS,
    }  # fmt: skip
    return Advice(**{**given, **over})


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    """A memory of nothing."""
    return Memory(tmp_path / "memory.json")


def test_an_advice_starts_its_command_once(memory: Memory, tmp_path: Path) -> None:
    """What was answered is answered after a restart too."""
    first = choose(advice(), COMMANDS, memory, NOW_MS)
    assert first is not None
    assert first.entry == ENTRY
    memory.answer("edge-1", "flights", NOW_MS)
    assert choose(advice(), COMMANDS, Memory(tmp_path / "memory.json"), NOW_MS + 1) is None


def test_what_asks_for_nothing_starts_nothing(memory: Memory) -> None:
    """Other words, other deployments, models beside the champion, and advice that nobody announced are passed over."""
    for other in (
        advice(advice="watch"),
        advice(deployment="other"),
        advice(slot="shadow"),
        advice(id=""),
    ):
        assert choose(other, COMMANDS, memory, NOW_MS) is None


def test_a_second_run_waits_for_the_cool_down(memory: Memory) -> None:
    """It counts from the start of the last run of that deployment."""
    memory.answer("edge-1", "flights", NOW_MS)
    early = choose(advice(id="edge-2"), COMMANDS, memory, NOW_MS + 3_599_000)
    late = choose(advice(id="edge-3"), COMMANDS, memory, NOW_MS + 3_600_000)
    assert early is not None
    assert late is not None
    assert early.entry is None
    assert "1 are left" in early.reason
    assert late.entry == ENTRY


def test_old_advice_starts_nothing(memory: Memory) -> None:
    """A worker that was away for long does not retrain by what nobody waits for any more."""
    found = choose(advice(), COMMANDS, memory, NOW_MS + 86_401_000)
    assert found is not None
    assert found.entry is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "missing required field `commands`"),
        ("[commands.a]\nargv = ['x']", "missing required field `deployments`"),
        ("[commands.a]\ndeployments = ['d']\nargv = 'rm -rf /'", "Expected `array`"),
        ("[commands.a]\ndeployments = ['d']\nargv = ['x']\nshell = true", "unknown field `shell`"),
        (
            "[commands.a]\ndeployments = ['d']\nargv = ['x']\n[commands.b]\ndeployments = ['d']\nargv = ['y']",
            "gives 'd' two commands",
        ),
        ("not toml", "does not say which commands"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_words(tmp_path: Path, text: str, says: str) -> None:
    """The sentence names the file and what is wrong in it."""
    file = tmp_path / "retrain.toml"
    file.write_text(text)
    with pytest.raises(RetrainError, match=str(file)) as caught:
        read_commands(file)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("over", "says"),
    [
        ({"folder": "no/such"}, "the command 'flights' runs in 'no/such', and there is no such folder"),
        ({"argv": ("no-such-program",)}, "starts 'no-such-program', which is no program on its PATH, "),
        ({"argv": ("./train.sh",)}, "starts './train.sh', which is no program"),
        ({"environment": ()}, f"starts 'train.sh', which is no program on its PATH, {os.defpath!r}"),
        ({}, ""),
    ],
)
def test_a_command_that_cannot_start_is_told_before_an_advice_is_spent_on_it(
    tmp_path: Path, over: dict[str, Any], says: str
) -> None:
    """Folder and program are looked for when the worker begins, the program on the PATH that is handed on."""
    (tmp_path / "train.sh").touch(0o700)
    entry = msgspec.structs.replace(ENTRY, **{"argv": ("train.sh",), **over})
    refused = pytest.raises(RetrainError, match=re.escape(says)) if says else nullcontext()
    with refused:
        must_start(Commands(commands={"flights": entry}), {"PATH": str(tmp_path)})


def ran(code: str, *, stopping: threading.Event | None = None, **over: Any) -> Any:
    """Run a piece of Python as a command."""
    entry = Entry(deployments=("flights",), argv=(sys.executable, "-c", code), **over)
    given = {"PATH": "/bin", "SECRET": "key", "HOME": "/nowhere"}
    return run(entry, advice(), given, stopping or threading.Event())


def test_a_command_knows_its_advice_and_nothing_else(tmp_path: Path) -> None:
    """The advice is its input; variables are those that its entry names and what the advice is about."""
    file = tmp_path / "seen.json"
    code = (
        "import json, os, sys; json.dump({'env': dict(os.environ), 'advice': json.load(sys.stdin), "
        f"'cwd': os.getcwd()}}, open({str(file)!r}, 'w'))"
    )
    ended = ran(code, folder=str(tmp_path), environment=("PATH",))
    assert (ended.code, ended.why) == (0, "")
    seen = msgspec.json.decode(file.read_bytes())
    assert seen["advice"]["id"] == "edge-1"
    assert seen["env"]["DRIFTLINE_RETRAIN_DEPLOYMENT"] == "flights"
    assert "SECRET" not in seen["env"]
    assert "HOME" not in seen["env"]
    assert seen["cwd"] == str(tmp_path)
    assert load(seen["env"] | {"DRIFTLINE_CONTROL_KEY": ""}) == Settings()  # it may run driftline itself


def test_no_shell_reads_the_arguments(tmp_path: Path) -> None:
    """What would be a second command for a shell is an argument."""
    entry = Entry(
        deployments=("flights",), argv=("echo", f"; touch {tmp_path}/made", "$HOME"), folder=str(tmp_path)
    )
    assert run(entry, advice(), {"PATH": "/usr/bin:/bin"}, threading.Event()).code == 0
    assert not (tmp_path / "made").exists()


def test_a_command_that_takes_too_long_is_ended_with_all_it_started() -> None:
    """The time-out is of the whole process group."""
    ended = ran("import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])",
                timeout_s=1.5)  # fmt: skip
    assert ended.why == "it took too long and was stopped"
    assert ended.seconds < 60


def test_a_command_ends_with_its_worker() -> None:
    """A worker that is told to stop waits for no training."""
    stopping = threading.Event()
    stopping.set()
    assert ran("import time; time.sleep(600)", stopping=stopping).why == "it was stopped with the worker"


def test_what_a_command_says_is_bounded_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """It may say gigabytes; the log gets the first of it, in lines that are cut, and how much there was."""
    caplog.set_level(logging.INFO)
    ended = ran("for n in range(40_000): print('x' * 99)")
    assert (ended.code, ended.said_bytes) == (0, 4_000_000)
    assert sum(len(record.getMessage()) for record in caplog.records) < 2 * MOST_BYTES


def test_a_failure_is_told_with_its_code() -> None:
    """A program that is not there, and one that fails, are told apart."""
    assert ran("raise SystemExit(3)").why == "it ended with exit code 3"
    for number, name in ((9, "SIGKILL"), (40, "signal 40")):
        assert ran(f"import os; os.kill(os.getpid(), {number})").why == f"it was ended by {name}"
    entry = Entry(deployments=("flights",), argv=("/no/such/program",))
    missing = run(entry, advice(), {}, threading.Event())
    assert (missing.code, missing.why) == (None, "it cannot be started: No such file or directory")


def test_a_command_that_says_nothing_here_is_waited_for(tmp_path: Path) -> None:
    """One that writes its log elsewhere, as training scripts do, goes on to its end; it is ended as any other."""
    elsewhere = "import os, time; f = os.open('log', os.O_CREAT | os.O_WRONLY); "
    elsewhere += "os.dup2(f, 1); os.dup2(f, 2); os.close(f); "
    ended = ran(elsewhere + "time.sleep(1.5); print('trained')", folder=str(tmp_path))
    assert (ended.code, ended.why, (tmp_path / "log").read_text()) == (0, "", "trained\n")
    assert ran(elsewhere + "time.sleep(600)", folder=str(tmp_path), timeout_s=1.0).why == (
        "it took too long and was stopped"
    )


def test_a_command_that_has_ended_is_not_held_by_what_it_left_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Which goes on to write: the command is over, with its own code, and what it said last is logged."""
    caplog.set_level(logging.INFO)
    entry = Entry(
        deployments=("flights",),
        argv=("sh", "-c", "(while true; do echo behind; sleep .02; done) & sleep .1; printf last; exit 3"),
        timeout_s=60,
    )
    ended = run(entry, advice(), {"PATH": "/usr/bin:/bin"}, threading.Event())
    assert (ended.code, ended.why) == (3, "it ended with exit code 3")
    assert any("last" in record.getMessage() for record in caplog.records)


def test_what_a_command_said_without_an_end_of_line_is_logged_when_it_is_stopped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It may say why the command hung."""
    caplog.set_level(logging.INFO)
    ran("import time; print('waits', end='', flush=True); time.sleep(600)", timeout_s=2.0)
    assert "says: waits" in caplog.messages


def test_one_worker_alone_has_a_memory(tmp_path: Path) -> None:
    """A second one would run what the first one ran before it was killed: it is refused until the first has ended."""
    path = tmp_path / "there" / "memory.json"
    path.parent.mkdir()
    (link := tmp_path / "link.json").symlink_to(path)
    with held(path) as first:
        first.answer("one", "churn", NOW_MS)
        for again in (path, link):
            with pytest.raises(RetrainError, match="another worker that retrains remembers in"), held(again):
                pass
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for bad in (loop, tmp_path / ("x" * 300)):
        with pytest.raises(RetrainError, match="cannot be used"), held(bad):
            pytest.fail("it was held")
    with pytest.raises(RetrainError, match="which is a folder: name a file"), held(Path()):
        pass
    with held(path) as second:
        assert second.is_answered("one")
