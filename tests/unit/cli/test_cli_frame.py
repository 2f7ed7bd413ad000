"""The frame of the command line: the lazy group, one-line errors and exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from driftline.deploy.cli import group as group_module
from driftline.deploy.cli import main
from driftline.deploy.cli.commands import COMMANDS
from driftline.schemas.errors import DriftlineError


def serve(monkeypatch: pytest.MonkeyPatch, command: click.Command) -> None:
    """Let every name of the table mean this command."""
    monkeypatch.setattr(
        group_module,
        "importlib",
        SimpleNamespace(import_module=lambda _name: SimpleNamespace(command=command)),
    )


def raising(error: BaseException) -> click.Command:
    """Make a command that raises."""

    @click.command()
    def command() -> None:
        raise error

    return command


def test_help_lists_every_command_with_its_extra(capsys: pytest.CaptureFixture[str]) -> None:
    """`driftline --help` names each command of the table and the extra it needs."""
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for entry in COMMANDS:
        assert (f"{entry.name} [{entry.extra}]" if entry.extra else f"  {entry.name} ") in shown


def test_help_imports_no_command() -> None:
    """`driftline --help` imports neither a command nor a heavy library."""
    code = (
        "import sys; from driftline.deploy.cli import main; main(['--help']);"
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('faust','numba','pandas','pyarrow','numpy','confluent_kafka','clickhouse_connect')"
        " or m.startswith('driftline.deploy.cli.')"
        " and m.rsplit('.')[-1] not in ('commands','examples','exits','group')], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_driftline_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A DriftlineError is one line on stderr and exit code 1."""
    serve(monkeypatch, raising(DriftlineError("the port 9 is taken;\n choose another")))
    assert main(["up"]) == 1
    assert capsys.readouterr().err == "driftline: the port 9 is taken; choose another\n"


def test_a_file_that_cannot_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the system says of a file that no command foresaw is one line that names it."""
    serve(monkeypatch, raising(PermissionError(13, "Permission denied", "/data/lock")))
    assert main(["up"]) == 1
    assert capsys.readouterr().err == "driftline: /data/lock cannot be used: Permission denied\n"


def test_what_kafka_s_client_refuses_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A certificate that is none ends every command that needs Kafka in one line that says which setting to look at."""
    (tmp_path / "ca.pem").write_text("no certificate")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRIFTLINE_KAFKA_BOOTSTRAP", "127.0.0.1:9")
    monkeypatch.setenv("DRIFTLINE_CLICKHOUSE_PORT", "9")
    monkeypatch.setenv("DRIFTLINE_KAFKA_SECURITY_PROTOCOL", "SSL")
    monkeypatch.setenv("DRIFTLINE_KAFKA_SSL_CA_LOCATION", "ca.pem")
    monkeypatch.setenv("DRIFTLINE_CONTROL_GENESIS", "0" * 64)
    for words in (["deployment", "list"], ["audit", "verify"], ["worker", "drift"], ["pending"]):
        assert main(words) == 1
        said = capfd.readouterr().err.splitlines()[-1]
        assert said.startswith("driftline: Kafka")
        assert "ssl.ca.location failed" in said
    assert main(["doctor"]) == 1
    assert "ssl.ca.location failed" in capfd.readouterr().out


def test_a_missing_library_names_the_pip_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A library that a command misses is one line with what installs it, on import and on call."""
    serve(monkeypatch, raising(ModuleNotFoundError("No module named 'rich'", name="rich")))
    assert main(["status"]) == 1
    shown = capsys.readouterr().err
    assert "'rich'" in shown
    assert "pip install 'driftline[local]'" in shown
    assert shown.count("\n") == 1


def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown command is one line and exit code 2."""
    assert main(["fly"]) == 2
    assert capsys.readouterr().err == "driftline: No such command 'fly' (see 'driftline --help')\n"


def test_interrupt_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a command with the code a shell expects."""
    serve(monkeypatch, raising(KeyboardInterrupt()))
    assert main(["up"]) == 130


def test_a_returned_number_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command returns is the exit code of the process."""
    serve(monkeypatch, click.Command("up", callback=lambda: 3))
    assert main(["up"]) == 3


PRINTS = {
    "click": "import click; say = click.echo",
    "rich": "from rich.text import Text; from driftline.deploy.cli.windows_table import show;"
    "say = lambda text: show(Text(text))",
    "print": "say = print",
}


def shell(way: str, redirected: str) -> subprocess.CompletedProcess[str]:
    """Run a command that prints 2 MB in this way, with its stdout redirected in bash, which exits as it does."""
    code = (
        f"import sys, types, click; {PRINTS[way]}\n"
        "from driftline.deploy.cli import group, main\n"
        "command = click.Command('up', callback=lambda: [say('x' * 2000) for _ in range(1000)] and None)\n"
        "found = types.SimpleNamespace(import_module=lambda _: types.SimpleNamespace(command=command))\n"
        "group.importlib = found\n"
        "sys.exit(main(['up']))\n"
    )
    script = f'set -o pipefail; "$0" -c "$1" {redirected}'
    return subprocess.run(
        ["bash", "-c", script, sys.executable, code], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("way", PRINTS)
def test_a_closed_pipe_is_quiet_and_exits_with_141(way: str) -> None:
    """A reader that goes away early gives the code of SIGPIPE and no line, however the command prints."""
    done = shell(way, "| head -c 1")
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("way", PRINTS)
def test_a_full_disk_under_stdout_is_one_line(way: str) -> None:
    """Output that finds no space is one line on stderr and exit code 1, however the command prints."""
    done = shell(way, "> /dev/full")
    assert done.returncode == 1
    assert done.stderr.startswith("driftline: the output cannot be written: No space left on device")
    assert done.stderr.count("\n") == 1


def test_a_closed_stdout_is_one_line() -> None:
    """A command started without a stdout says so in one line and does nothing."""
    done = shell("click", ">&-")
    assert done.returncode == 1
    assert done.stderr == "driftline: stdout is closed: send it to a file or to /dev/null\n"


def test_help_names_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """`driftline --help` says what 141 means."""
    main(["--help"])
    assert "141 the reader of stdout went away" in " ".join(capsys.readouterr().out.split())


def test_libraries_log_nothing_to_a_person() -> None:
    """Without a log of its own a command shows the warnings of driftline and none of a library."""
    code = (
        "import logging; from driftline.deploy.cli import main; main(['--version'])\n"
        "logging.getLogger('clickhouse_connect.driver').error('library')\n"
        "logging.getLogger('driftline.emit').warning('ours')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "ours\n"


def test_what_does_not_print_is_shown_escaped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name in a sentence cannot move the terminal's cursor, and bytes that are no text do not end in a traceback."""
    serve(monkeypatch, raising(DriftlineError("there is no file \x1b[2Ja\udcff\u202eb")))
    assert main(["up"]) == 1
    assert capsys.readouterr().err == "driftline: there is no file \\x1b[2Ja\\udcff\\u202eb\n"


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        (
            f"column {'x' * 100_000!r} is no name: rename it",
            f"column '{'x' * 149}…{'x' * 49}' is no name: rename it",
        ),
        (
            f"column {'a b ' * 9_999!r} is none",
            f"column '{('a b ' * 99)[:149]}…{('a b ' * 99)[-49:]}' is none",
        ),
        (f"Kafka's file {'/d' * 5_000} is none", f"Kafka's file {'/d' * 75}…{('/d' * 50)[-50:]} is none"),
        (f"Kafka's and {'word ' * 60}'a' is none", f"Kafka's and {'word ' * 60}'a' is none"),
        (f"the file {'d' * 200} is none", f"the file {'d' * 200} is none"),
    ],
    ids=["a name", "a name with spaces", "a path", "prose", "just not too long"],
)
def test_a_long_name_is_shortened(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sentence: str, shown: str
) -> None:
    """Of a name or path too long to be read both ends stand in the line, and the sentence about it is whole."""
    serve(monkeypatch, raising(DriftlineError(sentence)))
    assert main(["up"]) == 1
    assert capsys.readouterr().err == f"driftline: {shown}\n"


def test_a_refusal_is_a_line_that_can_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However many words a sentence quotes, its begin and its end stand in a line of 4,000 characters."""
    serve(monkeypatch, raising(DriftlineError(f"known are {'a, ' * 100_000} and no more")))
    assert main(["up"]) == 1
    said = capsys.readouterr().err
    assert len(said) < 4_100
    assert said.startswith("driftline: known are a, a, ")
    assert said.endswith("a, and no more\n")


def test_names_that_are_no_utf_8_are_shown_as_they_are(tmp_path: Path) -> None:
    """A file named in other bytes is made and shown as those; strict JSON cannot say them, and says so in one line."""
    name = b"k\xff.pem"
    line = [sys.executable, "-m", "driftline.deploy.cli", "keys", "new", name]
    made = subprocess.run(line, cwd=tmp_path, capture_output=True, check=False)
    assert (made.returncode, made.stdout.startswith(name), made.stderr) == (0, True, b"")
    line = [sys.executable, "-m", "driftline.deploy.cli", "keys", "list", name, "--json"]
    shown = subprocess.run(line, cwd=tmp_path, capture_output=True, check=False)
    assert (shown.returncode, shown.stderr.count(b"\n")) == (1, 1)
    assert shown.stderr.startswith(b"driftline: 'k\\udcff.pem' is no text in UTF-8")
