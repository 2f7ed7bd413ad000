"""The child of a trial: loads a package within bounds, warms it, asks the golden rows, and says how it went.

It runs in a process of its own with an empty environment. It reads its task as JSON on stdin and writes a line of JSON
on stdout at each stage, so that a child that dies has said how far it came.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from driftline.agents.serving.package import golden
from driftline.agents.serving.package.bounded import alone, bound, import_libraries, is_of_memory, pages
from driftline.agents.serving.package.errors import PackageError
from driftline.agents.serving.package.folder import read
from driftline.agents.serving.package.loading import load
from driftline.agents.serving.package.manifest import Manifest
from driftline.agents.serving.package.tensors import conform

WARM_CALLS: Final = 3
_WRITTEN_BYTES: Final = 1 << 20


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent asks for.

    Attributes:
        folder: of the package.
        manifest: the payload, as text.
        trusted: types that policy trusts in skops files.
        memory_bytes: what loading and answering may take beyond what the libraries took.
        threads: of one call.
    """

    folder: str
    manifest: str
    trusted: list[str]
    memory_bytes: int
    threads: int


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the child.

    Attributes:
        stage: what begins now, or `done`.
        outcome: of the last line: `passed`, `failed`, `differs` or `no_memory`.
        why: a sentence.
        seconds: of the stages so far, by name.
        memory_bytes: what the model took, at most.
    """

    stage: str
    outcome: str = ""
    why: str = ""
    seconds: dict[str, float] = {}
    memory_bytes: int = 0


def main(parent: int) -> None:
    """Carry out the task on stdin, unless the parent of that pid is gone: then nobody is told."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    out = alone(parent)
    _say(out, _carried_out(task, out))


def _carried_out(task: Task, out: int) -> Said:
    seconds: dict[str, float] = {}
    before = 0
    try:
        manifest = Manifest.from_bytes(task.manifest.encode())
        folder = Path(task.folder)
        rows = golden.read(
            read(folder, manifest.golden.file, golden.MAX_BYTES), manifest.inputs, manifest.outputs
        )
        import_libraries(manifest.format)
        before = pages()[1]
        bound(task.memory_bytes, _WRITTEN_BYTES)
        _say(out, Said(stage="load"))
        began = time.perf_counter()
        model = load(folder, manifest, trusted=task.trusted, threads=task.threads)
        seconds["load"] = time.perf_counter() - began
        _say(out, Said(stage="warm-up", seconds=seconds))
        began = time.perf_counter()
        one = {name: array[:1] for name, array in rows.inputs.items()}
        for _ in range(WARM_CALLS):
            model.predict(one)
        seconds["warm-up"] = time.perf_counter() - began
        _say(out, Said(stage="golden rows", seconds=seconds))
        began = time.perf_counter()
        found = model.predict(rows.inputs)
        seconds["golden rows"] = time.perf_counter() - began
        conform("output", found, manifest.outputs)
        off = golden.difference(rows.outputs, found, rtol=manifest.golden.rtol, atol=manifest.golden.atol)
        outcome, why = ("passed", "") if off is None else ("differs", str(off))
    except PackageError as error:
        outcome, why = ("no_memory" if is_of_memory(str(error)) else "failed"), str(error)
    except MemoryError as error:
        outcome, why = "no_memory", str(error)
    except Exception as error:  # noqa: BLE001 - a model raises what it likes
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        outcome, why = ("no_memory" if is_of_memory(text) else "failed"), text
    gc.collect()
    taken = max(0, _most_resident_bytes() - before) if before else 0
    return Said(stage="done", outcome=outcome, why=why[:500], seconds=seconds, memory_bytes=taken)


def _most_resident_bytes() -> int:
    """Memory at its highest. Not `ru_maxrss`, which a child begins with at what its parent had."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _say(out: int, line: Said) -> None:
    os.write(out, msgspec.json.encode(line) + b"\n")
