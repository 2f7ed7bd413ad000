"""Benchmarks: `python tests/bench [NAME]` measures, prints a table and writes .driftline/bench.json.

Each module beside this file that has a function `run(context)` is a benchmark under its file's name; it gives rows
with name, value, unit, baseline, ratio, target and reached. A ratio stands against a baseline measured in the same
run, interleaved, and is the median of several. A row without a target is told, not judged.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
import time
import traceback
from functools import cached_property
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
COLUMNS = ("name", "value", "unit", "baseline", "ratio", "target", "reached")


class Context:
    """What a benchmark may use: the checkout, a folder of its own, and, when it asks, a real stack.

    Attributes:
        checkout: the top folder.
        folder: `.driftline/bench`, for scratch that may be kept from run to run.
    """

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.folder = checkout / ".driftline" / "bench"
        self.folder.mkdir(parents=True, exist_ok=True)

    @cached_property
    def stack(self) -> Any:  # noqa: ANN401 - its type is imported only when a benchmark asks for a stack
        """A real Kafka and a real ClickHouse with empty data, started at the first use."""
        from driftline.deploy.local.stack import Stack
        from driftline.schemas.settings import load

        data = self.folder / "stack"
        shutil.rmtree(data, ignore_errors=True)
        stack = Stack(load({"DRIFTLINE_LOCAL_DATA_DIR": str(data)}, None), progress=print)
        stack.start()
        return stack

    @property
    def settings(self) -> Any:  # noqa: ANN401 - the same
        """Settings that reach the stack."""
        return self.stack.settings

    def close(self) -> None:
        """Stop the stack, when one was started."""
        if "stack" in self.__dict__:
            self.stack.stop()


def benchmarks() -> dict[str, Path]:
    """Find the benchmarks, by name, without importing them."""
    found = {}
    for path in sorted(HERE.glob("*.py")):
        if re.search(r"^def run\(", path.read_text(), re.MULTILINE) and path.stem != "__main__":
            found[path.stem] = path
    return found


def run(name: str, path: Path, context: Context) -> list[dict[str, Any]]:
    """Run one benchmark and give its rows."""
    spec = importlib.util.spec_from_file_location(f"driftline_bench_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    rows: list[dict[str, Any]] = module.run(context)
    return [{column: row.get(column) for column in COLUMNS} for row in rows]


def table(rows: list[dict[str, Any]]) -> str:
    """Lay the rows out for people."""
    words = [["benchmark", "value", "unit", "baseline", "ratio", "target", ""]]
    words += [
        [
            str(row["name"]),
            _number(row["value"]),
            str(row["unit"] or ""),
            _number(row["baseline"]),
            _number(row["ratio"]),
            _number(row["target"]),
            {True: "reached", False: "missed", None: ""}[row["reached"]],
        ]
        for row in rows
    ]
    widths = [max(len(line[at]) for line in words) for at in range(len(words[0]))]
    left = {0, 2, 6}
    return "\n".join(
        "  ".join(
            word.ljust(width) if at in left else word.rjust(width)
            for at, (word, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in words
    )


def main(arguments: list[str]) -> int:
    """Run the benchmark named (`NAME` or `ONLY=NAME`), or all; 1 when one could not be run."""
    known = benchmarks()
    wanted = [name for word in arguments if (name := word.removeprefix("ONLY="))] or list(known)
    for name in wanted:
        if name not in known:
            print(f"benchmark {name!r} does not exist: use one of {', '.join(known)}", file=sys.stderr)
            return 1
    context = Context(HERE.parents[1])
    rows: list[dict[str, Any]] = []
    failed = []
    try:
        for name in wanted:
            began = time.perf_counter()
            print(f"== {name}", flush=True)
            try:
                rows += run(name, known[name], context)
            except Exception:  # noqa: BLE001 - one benchmark that cannot run must not hide the others' figures
                failed.append(name)
                traceback.print_exc()
            print(f"   {time.perf_counter() - began:.0f} s", flush=True)
    finally:
        context.close()
    file = HERE.parents[1] / ".driftline" / "bench.json"
    file.write_text(json.dumps(rows, indent=2) + "\n")
    print(table(rows))
    print(f"written to {file.relative_to(HERE.parents[1])}")
    if failed:
        print(f"could not be run: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _number(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
