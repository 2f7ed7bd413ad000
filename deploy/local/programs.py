"""The programs the local stack needs on the machine: java, mvn and npm, found and run with clear errors."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from driftline.deploy.local.cache import Progress
from driftline.deploy.local.errors import StackError

_VERSION_SECONDS = 30
_SHOWN_CHARACTERS = 300
_HEARTBEAT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Program:
    """A program: its command, the oldest major version that works, and the line that installs it."""

    command: str
    version_arguments: tuple[str, ...]
    minimum: int
    purpose: str
    install: str


JAVA = Program("java", ("-version",), 17, "Kafka", "sudo apt-get install -y openjdk-17-jre-headless")
MAVEN = Program("mvn", ("-B", "-v"), 3, "the jars of Kafka", "sudo apt-get install -y maven")
NPM = Program("npm", ("--version",), 7, "the library of ClickHouse", "sudo apt-get install -y npm")


def find(program: Program) -> str:
    """Return the path of a program.

    Raises:
        StackError: it is not on the PATH; the sentence holds the line that installs it.

    """
    path = shutil.which(program.command)
    if path is None:
        raise StackError(
            f"{program.command!r}, which {program.purpose} needs, is not on the PATH: {program.install}"
        )
    return path


def version_text(program: Program) -> str:
    """Return the first line with a digit that the program says about its version."""
    done = subprocess.run(
        [find(program), *program.version_arguments],
        capture_output=True,
        text=True,
        timeout=_VERSION_SECONDS,
        check=False,
    )
    # Maven colours its version even in a pipe, and a colour's code has digits.
    lines = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr).splitlines()
    return next((line.strip() for line in lines if re.search(r"\d", line)), "unknown")


def major(text: str) -> int:
    """Return the major version in a version text, 0 when there is none; Java's old 1.8 is 8.

    >>> major('openjdk version "17.0.15" 2025-04-15'), major('java version "1.8.0_402"'), major("11.19.1")
    (17, 8, 11)
    """
    found = re.search(r"(\d+)(?:\.(\d+))?", text)
    if found is None:
        return 0
    first, second = int(found[1]), found[2]
    return int(second) if first == 1 and second is not None else first


def run(command: Sequence[str], *, what: str, cwd: Path, seconds: float, progress: Progress) -> None:
    """Run a preparing command to its end, saying every few seconds that it still runs.

    Raises:
        StackError: it failed or took too long; the sentence ends with the first error it reported.

    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        started = time.monotonic()
        try:
            while _still_runs(process):
                elapsed = time.monotonic() - started
                if elapsed > seconds:
                    raise StackError(
                        f"{what} took longer than {seconds:.0f} s: look at the network and try again"
                    )
                progress(f"{what}: {elapsed:.0f} s so far")
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode != 0:
        raise StackError(f"{what} failed (exit {process.returncode}): {_first_error(text)}", text)


def _still_runs(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_HEARTBEAT_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _first_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "ERR" in line.upper()]
    return (telling or lines or ["it said nothing"])[0][:_SHOWN_CHARACTERS]
