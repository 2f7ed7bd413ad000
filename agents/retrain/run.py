"""Run: one command as a child that is told of its advice, and of nothing else; bounded in time and in what it says."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import termios
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from driftline.agents.retrain.commands import Entry
    from driftline.schemas.advice import Advice

logger = logging.getLogger(__name__)

MOST_BYTES: Final = 64 * 1024
"""Of what a command says that goes to the log; the rest is counted."""
GRACE_S: Final = 10.0
"""Between the signal that asks and the one that does not."""
_LOOK_S: Final = 0.2
_LINE_CHARS: Final = 500
_READ_BYTES: Final = 8_192


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run went: `code` is below 0 for a signal, None for what could not be started."""

    code: int | None
    why: str
    seconds: float
    said_bytes: int


def environment_of(entry: Entry, advice: Advice, given: Mapping[str, str]) -> dict[str, str]:
    """Give the variables of a child: those that its entry names, and what the advice is about."""
    return {
        **entry.handed(given),
        "DRIFTLINE_RETRAIN_DEPLOYMENT": advice.deployment,
        "DRIFTLINE_RETRAIN_VERSION": advice.model_version,
        "DRIFTLINE_RETRAIN_ADVICE": advice.id,
        "DRIFTLINE_RETRAIN_WINDOW_START_MS": str(advice.window_start_ms),
        "DRIFTLINE_RETRAIN_WINDOW_END_MS": str(advice.window_end_ms),
    }


def run(entry: Entry, advice: Advice, given: Mapping[str, str], stopping: threading.Event) -> Ended:
    """Run a command to its end; the advice, as JSON, is its standard input.

    Args:
        entry: what is run.
        advice: why.
        given: the variables of this process.
        stopping: ends it early.
    """
    began_s = time.monotonic()
    with tempfile.TemporaryFile() as told:
        told.write(msgspec.json.encode(advice))
        told.seek(0)
        try:
            child = subprocess.Popen(  # noqa: S603 - the argv of a local file, and no shell
                entry.argv,
                stdin=told,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment_of(entry, advice, given),
                cwd=entry.folder,
                start_new_session=True,
            )
        except OSError as error:
            return Ended(None, f"it cannot be started: {error.strerror}", time.monotonic() - began_s, 0)
    why = ""
    try:
        said_bytes, why = _followed(child, began_s + entry.timeout_s, stopping)
    finally:
        _end(child)
    seconds = time.monotonic() - began_s
    return Ended(child.returncode, why or _code(child.returncode), seconds, said_bytes)


def _followed(
    child: subprocess.Popen[bytes], deadline_s: float, stopping: threading.Event
) -> tuple[int, str]:
    """Log what a child says until it ends or has to; gives how many bytes, and why it had to."""
    assert child.stdout is not None  # noqa: S101 - it was asked for
    said, rest, why, pipe = 0, b"", "", child.stdout.fileno()
    left: int | None = None
    """What a child that has ended left in the pipe: what it left running may go on to write there."""
    with selectors.DefaultSelector() as ready:
        ready.register(pipe, selectors.EVENT_READ)
        while left != 0:
            if left is None and child.poll() is not None:
                left = _unread(pipe)
                continue
            if left is None and (why := _over(deadline_s, stopping)):
                break
            if left is None and not ready.select(_LOOK_S):
                continue
            data = os.read(pipe, min(left or _READ_BYTES, _READ_BYTES))
            if not data:
                why = _waited(child, deadline_s, stopping)
                break
            if said < MOST_BYTES:
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    _log(line)
                rest = rest[:_LINE_CHARS]
            said += len(data)
            left = None if left is None else left - len(data)
    _log(rest)
    return said, why


def _unread(pipe: int) -> int:
    """How many bytes lie in a pipe."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def _over(deadline_s: float, stopping: threading.Event) -> str:
    """Why a child has to end now; empty when it need not."""
    if stopping.is_set():
        return "it was stopped with the worker"
    return "it took too long and was stopped" if time.monotonic() > deadline_s else ""


def _waited(child: subprocess.Popen[bytes], deadline_s: float, stopping: threading.Event) -> str:
    """Wait for a child that says nothing here any more, as one that writes to a file; gives why it had to end."""
    while child.poll() is None:
        if why := _over(deadline_s, stopping):
            return why
        stopping.wait(_LOOK_S)
    return ""


def _log(line: bytes) -> None:
    text = line.decode("utf-8", "replace")[:_LINE_CHARS]
    if text.strip():
        logger.info("says: %s", "".join(each if each.isprintable() else " " for each in text))


def _end(child: subprocess.Popen[bytes]) -> None:
    """Let a child end by itself once its output has, else ask it and all it started, and then end them."""
    if child.stdout is not None:
        child.stdout.close()
    with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
        if child.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_LOOK_S)
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
            child.wait(GRACE_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _code(code: int) -> str:
    if code < 0:
        known = {one.value: one.name for one in signal.Signals}
        return f"it was ended by {known.get(-code, f'signal {-code}')}"  # signals for real time have no names
    return "" if code == 0 else f"it ended with exit code {code}"
