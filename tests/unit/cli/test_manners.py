"""Manners of the command line: JSON everywhere, tables that fit, colours for terminals alone, hints for typos."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cli_leaves import Words, every_leaf

from driftline.deploy.cli import main
from driftline.deploy.cli import telling as telling_module
from driftline.deploy.cli.commands import COMMANDS
from driftline.deploy.cli.group import sections
from driftline.deploy.cli.output import print_table
from driftline.deploy.cli.telling import telling

DRIFTLINE = [sys.executable, "-m", "driftline.deploy.cli"]
LOGS = "runs until it is told to stop, and logs"
WITHOUT_JSON: dict[Words, str] = {
    **dict.fromkeys(
        (("worker", role) for role in ("drift", "accuracy", "alerts", "archive", "challenger", "retrain")),
        LOGS,
    ),
    ("controller",): LOGS,
    ("serve",): LOGS,
    ("board",): LOGS,
    ("audit", "witness"): LOGS,
    ("trust", "template"): "prints a file",
    ("completion",): "prints a script",
    ("healthy",): "says it by its exit code",
    **dict.fromkeys(
        (("seed", "begin"), ("seed", "model"), ("seed", "secrets")), "what containers begin with"
    ),
}


def test_every_command_that_prints_data_has_json() -> None:
    """Each command takes --json, but for those that print no data: they are named, with the reason."""
    lacking = {
        path
        for path, command in every_leaf().items()
        if not any("--json" in option.opts for option in command.params)
    }
    assert lacking == set(WITHOUT_JSON)


def test_help_names_each_command_once() -> None:
    """The sections of the help hold every command of the table, each once."""
    shown = [entry.name for _, entries in sections() for entry in entries]
    assert sorted(shown) == sorted(entry.name for entry in COMMANDS)


@pytest.mark.parametrize("columns", [80, 60])
def test_tables_fit(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table with long names is as wide as COLUMNS says, and loses none of its words."""
    monkeypatch.setenv("COLUMNS", str(columns))
    rows = [("a-deployment-with-a-name-" + "x" * 60, "1", "rows that came too late, " * 4, "1,234,567")]
    print_table(("deployment", "version", "what", "rows"), rows)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= columns
    assert "1,234,567" in shown
    assert (shown.count("x"), shown.count("late,")) == (60, 4)


def test_tables_in_a_file_have_a_line_a_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no terminal ends a line, a row is one line however long it is."""
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table(("name",), [("x" * 300,)])
    assert capsys.readouterr().out.splitlines()[1] == "x" * 300


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("windws churn", "No such command 'windws': did you mean 'windows'"),
        (
            "profile bild",
            "No such command 'bild': did you mean 'build'? (see 'driftline profile --help')",
        ),
        ("keys lst", "did you mean 'list'"),
        ("windows churn --sinse x", "--since"),
    ],
)
def test_typos_are_answered_with_what_may_be_meant(
    line: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command or option that is not there is wrong usage, and names what looks like it."""
    assert main(line.split()) == 2
    assert hint in capsys.readouterr().err


def in_terminal(words: list[str], folder: Path, **env: str) -> bytes:
    """Run a command whose stdout and stderr are a terminal; what it wrote there."""
    master, slave = pty.openpty()
    done = subprocess.run(
        words, cwd=folder, stdout=slave, stderr=slave, env={**os.environ, **env}, check=False
    )
    os.close(slave)
    written = b""
    try:
        while part := os.read(master, 65_536):
            written += part
    except OSError:  # Linux says so that nobody writes any more
        pass
    os.close(master)
    assert done.returncode == 0, written
    return written


def test_colours_are_for_terminals_that_want_them(tmp_path: Path) -> None:
    """Escape signs are written to a terminal, neither to a pipe nor where NO_COLOR is set."""
    subprocess.run([*DRIFTLINE, "keys", "new", "a.pem"], cwd=tmp_path, check=True, capture_output=True)
    listing = [*DRIFTLINE, "keys", "list", "a.pem"]
    assert b"\x1b[" in in_terminal(listing, tmp_path, TERM="xterm", NO_COLOR="")
    assert b"\x1b[" not in in_terminal(listing, tmp_path, TERM="xterm", NO_COLOR="1")
    piped = subprocess.run(listing, cwd=tmp_path, check=True, capture_output=True)
    assert b"\x1b[" not in piped.stdout


class Screen(io.StringIO):
    """A stderr that may be a terminal, and tells when it is written to."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal
        self.written = threading.Event()

    def isatty(self) -> bool:
        """Say whether a person looks at it."""
        return self.is_terminal

    def write(self, text: str) -> int:
        """Keep the text."""
        count = super().write(text)
        self.written.set()
        return count


def test_what_lasts_is_told_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lasts is named on stderr, and taken away when it is over."""
    screen = Screen(is_terminal=True)
    monkeypatch.setattr(telling_module, "QUIET_S", 0.0)
    monkeypatch.setattr(sys, "stderr", screen)
    with telling("counting"):
        assert screen.written.wait(10)
    assert screen.getvalue().startswith(f"{telling_module.CLEAR}counting (0 s)")
    assert screen.getvalue().endswith(telling_module.CLEAR)


def test_what_lasts_is_not_told_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Off a terminal nothing is said, however long it takes."""
    screen = Screen(is_terminal=False)
    monkeypatch.setattr(telling_module, "QUIET_S", 0.0)
    monkeypatch.setattr(sys, "stderr", screen)
    before = threading.active_count()
    with telling("counting"):
        assert threading.active_count() == before
    assert screen.getvalue() == ""
