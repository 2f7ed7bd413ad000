"""Trial: a package loads, warms and answers its golden rows in a child that may break, before it does so to serve."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from driftline.agents.serving.package.errors import PackageError
from driftline.agents.serving.package.launcher import Launcher
from driftline.agents.serving.package.trial_child import Said, Task

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from driftline.agents.serving.package.manifest import Manifest

Outcome: TypeAlias = Literal["passed", "failed", "differs", "out_of_memory", "too_slow", "crashed"]

MEMORY_BYTES: Final = 4 << 30
TIMEOUT_S: Final = 60.0
_SAID_BYTES: Final = 64 * 1024
_TOLD_BYTES: Final = 2_000
_MIB: Final = 1 << 20
_BEGIN: Final = """
import sys
parent, sys.path[:] = int(sys.argv[1]), sys.argv[2:]
from driftline.agents.serving.package.trial_child import main
main(parent)
"""
_WHILE: Final = {
    "start": "before it loaded",
    "load": "while it loaded",
    "warm-up": "while it warmed up",
    "golden rows": "while it answered the golden rows",
}


class TrialError(PackageError):
    """A package that did not pass its trial; the text says why."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a trial may take.

    Attributes:
        memory_bytes: address space that the model may take beyond what the libraries take.
        timeout_s: from the start of the child to its end, s.
        threads: of one call.
    """

    memory_bytes: int = MEMORY_BYTES
    timeout_s: float = TIMEOUT_S
    threads: int = 1


BOUNDS: Final = Bounds()


@dataclass(frozen=True, slots=True)
class Trial:
    """How a trial went.

    Attributes:
        outcome: `passed`, or what went wrong.
        why: one sentence; empty when it passed.
        total_s: from the start of the child to its end, s.
        seconds: of each stage that ended: load, warm-up, golden rows.
        memory_bytes: what the model took, at most; 0 when it is not known.
    """

    outcome: Outcome
    why: str
    total_s: float
    seconds: dict[str, float] = field(default_factory=dict)
    memory_bytes: int = 0

    def require(self) -> None:
        """Raise TrialError unless it passed."""
        if self.outcome != "passed":
            raise TrialError(self.why)


def trial(
    folder: Path,
    manifest: Manifest,
    *,
    trusted: Collection[str] = (),
    bounds: Bounds = BOUNDS,
    launcher: Launcher | None = None,
) -> Trial:
    """Try a package in a child.

    Args:
        folder: of the cache, verified.
        manifest: as it was signed.
        trusted: types that policy trusts in skops files, by full name.
        bounds: of memory and time.
        launcher: of the child; one for this trial alone by itself.

    Returns:
        How it went; this never raises for what the model does.

    Raises:
        PackageError: no child could be started.
    """
    task = Task(
        folder=str(folder.resolve()),
        manifest=manifest.to_bytes().decode(),
        trusted=sorted(trusted),
        memory_bytes=bounds.memory_bytes,
        threads=bounds.threads,
    )
    began = time.monotonic()
    with (
        tempfile.TemporaryFile() as asked,
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as told,
    ):
        asked.write(msgspec.json.encode(task))
        asked.seek(0)
        files = [file.fileno() for file in (asked, said, told)]
        with closing(Launcher()) if launcher is None else nullcontext(launcher) as children:
            code = children.run(_BEGIN, files, bounds.timeout_s)
        total_s = time.monotonic() - began
        lines, text = _lines(said), tail(told)
    last = lines[-1] if lines else Said(stage="start")
    stage = next((line.stage for line in reversed(lines) if line.stage in _WHILE), "start")
    outcome, why = _judged(code, last, _WHILE[stage], text, bounds)
    return Trial(
        outcome=outcome,
        why="" if outcome == "passed" else f"{manifest.title} did not pass its trial: {why}",
        total_s=total_s,
        seconds=last.seconds,
        memory_bytes=last.memory_bytes,
    )


def _judged(code: int | None, last: Said, when: str, text: str, bounds: Bounds) -> tuple[Outcome, str]:
    """Give the outcome, and why as the end of a sentence."""
    if code is None:
        return "too_slow", f"it was stopped {when}, for it took longer than {bounds.timeout_s:g} s"
    if last.outcome == "no_memory" or ran_out(code, text):
        return (
            "out_of_memory",
            f"it ran out of memory {when}: {bounds.memory_bytes / _MIB:,.0f} MiB do not do",
        )
    if code == 0 and last.outcome == "passed":
        return "passed", ""
    if code == 0 and last.outcome == "differs":
        return "differs", f"its answer {last.why}"
    if code == 0 and last.outcome == "failed":
        return "failed", f"{when} it said: {last.why}"
    return "crashed", crashed(code, when, text)


def ran_out(code: int, text: str) -> bool:
    """Whether a child was ended by a library that got no memory, as C++ ends; `text` is the end of its stderr."""
    return code < 0 and "bad_alloc" in text


def crashed(code: int, when: str, text: str) -> str:
    """Say how a child ended that said nothing itself, as the end of a sentence; `text` is the end of its stderr."""
    if code < 0:
        known = {one.value: one.name for one in signal.Signals}
        name = known.get(-code, f"signal {-code}")  # signals for real time have no names
        hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"it crashed with {name} {when}{hint}"
    told = f" ({text.strip().splitlines()[-1][:200]})" if text.strip() else ""
    return f"it ended with exit code {code} {when} and gave no answer{told}"


def _lines(said: IO[bytes]) -> list[Said]:
    """What the child said, as far as it can be read."""
    said.seek(0)
    found = []
    for line in said.read(_SAID_BYTES).splitlines():
        try:
            found.append(msgspec.json.decode(line, type=Said))
        except msgspec.MsgspecError:
            break
    return found


def tail(told: IO[bytes]) -> str:
    """Give the end of what a child wrote to stderr."""
    size = told.seek(0, os.SEEK_END)
    told.seek(max(0, size - _TOLD_BYTES))
    return told.read().decode("utf-8", "replace")
