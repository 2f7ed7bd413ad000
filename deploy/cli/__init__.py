"""The command line `driftline`: one file a command, imported when it is called."""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import click

from driftline.deploy.cli.commands import BY_NAME
from driftline.deploy.cli.exits import BROKEN_PIPE, EXITS, FAILED, INTERRUPTED, OK
from driftline.deploy.cli.group import LazyGroup, MissingExtraError
from driftline.schemas.errors import DriftlineError

# What the system says when a place to write to is full, failing or closed.
UNWRITABLE = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF))

_LONGEST_NAME, _LONGEST_LINE = 200, 4_000
# A quotation (an apostrophe within a word begins none), or characters without a space.
_LONG = re.compile(
    rf"""(?<!\w)(['"])(?:(?!\1).){{{_LONGEST_NAME - 1},}}\1(?!\w)|\S{{{_LONGEST_NAME + 1},}}"""
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Every foreseen failure is one line on stderr: 1 for a DriftlineError or output that cannot be written, 2 for wrong
    usage, 130 for Ctrl-C. A reader of stdout that goes away (`| head -1`) ends a command with 141 and no line.
    """
    if sys.stdout is None:
        # The first file opened would become stdout, and be written over.
        return _fail("stdout is closed: send it to a file or to /dev/null", FAILED)
    quiet_libraries()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files need not be UTF-8: they are shown as the bytes that they are.
        sys.stdout.reconfigure(errors="surrogateescape")
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        code = BROKEN_PIPE
    except SystemExit as error:
        # click and rich each turn a closed pipe into an exit with a code of their own.
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        code = BROKEN_PIPE
    except OSError as error:
        if error.filename is not None:
            code = _fail(f"{error.filename} cannot be used: {error.strerror}", FAILED)
        elif error.errno in UNWRITABLE:
            said = f"the output cannot be written: {error.strerror}; free space or send it elsewhere"
            code = _fail(said, FAILED)
        else:
            raise
    else:
        return code
    _silence_stdout()
    return code


def quiet_libraries() -> None:
    """Keep what libraries log off stderr unless a command sets up a log; driftline's own warnings stay."""
    if logging.lastResort is not None:
        logging.lastResort.addFilter(_is_ours)


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.split(".")[0] == "driftline"


def _run(words: list[str]) -> int:
    code = FAILED
    try:
        result = _group().main(args=words, prog_name="driftline", standalone_mode=False)
    except DriftlineError as error:
        said = str(error)
    except click.ClickException as error:
        return _refuse(error)
    except UnicodeEncodeError as error:
        said = f"{error.object[:100]!r} is no text in UTF-8: give it another name"
    except (KeyboardInterrupt, click.Abort):
        said, code = "interrupted", INTERRUPTED
    except ModuleNotFoundError as error:
        entry = next((BY_NAME[word] for word in words if word in BY_NAME), None)
        if entry is None:
            raise
        said = str(MissingExtraError(entry, str(error.name)))
    except Exception as error:
        fault = _kafka_fault(error)
        if fault is None:
            raise
        said = f"Kafka cannot be used: {fault}; look at what DRIFTLINE_KAFKA_* and driftline.toml say"
    else:
        return result if isinstance(result, int) and not isinstance(result, bool) else OK
    return _fail(said, code)


def _kafka_fault(error: Exception) -> str | None:
    """What a Kafka client says of settings that are no good to it, such as a certificate that is none."""
    kafka = sys.modules.get("confluent_kafka")
    if kafka is None or not isinstance(error, kafka.KafkaException):
        return None
    fault = error.args[0]
    return fault.str() if isinstance(fault, kafka.KafkaError) else str(fault)


def _group() -> LazyGroup:
    group = LazyGroup(
        name="driftline",
        help="Watch machine-learning models in production: which inputs drifted, when, and how sure that is.",
        # The sign keeps click from wrapping the list.
        epilog="Settings come from DRIFTLINE_* variables and driftline.toml. "
        "'driftline COMMAND --help' says more about one command, with examples.\n\n"
        "\b\nExit codes:\n" + "\n".join(f"  {code:<4} {when}" for code, when in EXITS.items()),
        context_settings={
            "help_option_names": ["-h", "--help"],
            "max_content_width": 110,
            # click leaves colours out where nobody watches; it does not know the custom of no-color.org.
            "color": False if os.environ.get("NO_COLOR") else None,
        },
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
    one_line = _readable(_printable(" ".join(sentence.split())))
    with contextlib.suppress(OSError):  # stderr may lie on the disk that is full
        click.echo(f"driftline: {one_line}", err=True)
    return code


def _printable(text: str) -> str:
    """Escape what does not print: names of files and columns are not to move a terminal's cursor."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _readable(line: str) -> str:
    """Shorten the names, values and paths that are too long to be read, and then the whole."""
    return _cut(_LONG.sub(lambda found: _cut(found[0], _LONGEST_NAME), line), _LONGEST_LINE)


def _cut(text: str, most: int) -> str:
    """Keep both ends: a path is known by its last part."""
    tail = most // 4
    return text if len(text) <= most + 1 else f"{text[: most - tail]}…{text[-tail:]}"


def _silence_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not fail a second time."""
    with contextlib.suppress(OSError):  # a stdout that is no file has nothing to fail
        number = sys.stdout.fileno()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, number)
        os.close(nothing)
