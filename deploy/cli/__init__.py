"""The command line `driftline`: one file a command, imported when it is called."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import click

from driftline.deploy.cli.commands import BY_NAME
from driftline.deploy.cli.group import LazyGroup, MissingExtraError
from driftline.schemas.errors import DriftlineError

# What a shell reports for a program that Ctrl-C ended.
INTERRUPTED_EXIT = 128 + signal.SIGINT
# click's own code when the reader of stdout went away in the middle of a command.
BROKEN_PIPE_EXIT = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Every foreseen failure is one line on stderr: 1 for a DriftlineError, 2 for wrong usage, 130 for Ctrl-C.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
        return BROKEN_PIPE_EXIT
    return code


def _run(words: list[str]) -> int:
    try:
        result = _group().main(args=words, prog_name="driftline", standalone_mode=False)
    except DriftlineError as error:
        return _fail(str(error), 1)
    except click.ClickException as error:
        return _refuse(error)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", INTERRUPTED_EXIT)
    except ModuleNotFoundError as error:
        entry = next((BY_NAME[word] for word in words if word in BY_NAME), None)
        if entry is None:
            raise
        return _fail(str(MissingExtraError(entry, str(error.name))), 1)
    return result if isinstance(result, int) and not isinstance(result, bool) else 0


def _group() -> LazyGroup:
    group = LazyGroup(
        name="driftline",
        help="Watch machine-learning models in production: which inputs drifted, when, and how sure that is.",
        epilog="Settings come from DRIFTLINE_* variables and driftline.toml; "
        "'driftline COMMAND --help' says more about one command.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    return click.version_option(_version(), prog_name="driftline")(group)


def _version() -> str:
    try:
        return version("driftline")
    except PackageNotFoundError:
        return "unknown"


def _refuse(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    if not isinstance(error, click.UsageError):
        return _fail(error.format_message(), error.exit_code)
    path = error.ctx.command_path if error.ctx is not None else "driftline"
    return _fail(f"{error.format_message().rstrip('.')} (see '{path} --help')", error.exit_code)


def _fail(sentence: str, code: int) -> int:
    one_line = " ".join(sentence.split())
    click.echo(f"driftline: {one_line}", err=True)
    return code


def _silence_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not fail a second time."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
