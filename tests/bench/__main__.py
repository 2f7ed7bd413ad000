"""Benchmarks: `python tests/bench [NAME]...` measures, prints a table and writes .driftline/bench.json.

Each module beside this file that has a function `run(context)` is a benchmark under its file's name; it gives rows
with name (`NAME: what`), value, unit, baseline, ratio, target and reached. A ratio stands against a baseline measured
in the same run, interleaved, and is the median of several. A row without a target is told, not judged. A benchmark
that cannot run is one row that is not reached, and the others go on; a run of some replaces only their rows.

`python tests/bench --markdown` prints the rows that were written last as the table of docs/benchmarks.md.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
COLUMNS = ("name", "value", "unit", "baseline", "ratio", "target", "reached")
FAILED = "could not be run"


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
        self._stack: Any = None
        self._refused: Exception | None = None

    @property
    def stack(self) -> Any:
        """A real Kafka and a real ClickHouse with empty data, started at the first use, with a full compiler.

        One that cannot be started is tried once, and refused to every benchmark with the same error.
        """
        if self._refused is not None:
            raise self._refused
        if self._stack is None:
            try:
                self._stack = self._start()
            except Exception as error:
                self._refused = error
                raise
        return self._stack

    @property
    def settings(self) -> Any:
        """Settings that reach the stack."""
        return self.stack.settings

    @property
    def bootstrap(self) -> str:
        """Address of the stack's Kafka."""
        address: str = self.settings.kafka.bootstrap
        return address

    def close(self) -> None:
        """Stop the stack, when one was started."""
        if self._stack is not None:
            self._stack.stop()

    def _start(self) -> Any:
        from driftline.deploy.local.stack import Stack
        from driftline.schemas.settings import load

        data = self.folder / "stack"
        shutil.rmtree(data, ignore_errors=True)
        stack = Stack(load({"DRIFTLINE_LOCAL_DATA_DIR": str(data)}, None), progress=print)
        stack.start()
        return stack


def benchmarks() -> dict[str, Path]:
    """Find the benchmarks, by name, without importing them."""
    found = {}
    for path in sorted(HERE.glob("*.py")):
        if re.search(r"^def run\(", path.read_text(), re.MULTILINE) and path.stem != "__main__":
            found[path.stem] = path
    return found


def run(name: str, path: Path, context: Context) -> list[dict[str, Any]]:
    """Run one benchmark and give its rows; one row that says why when it could not be run."""
    try:
        spec = importlib.util.spec_from_file_location(f"driftline_bench_{name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        rows: list[dict[str, Any]] = module.run(context)
    except Exception as error:  # noqa: BLE001 - one benchmark that cannot run must not hide the others' figures
        why = " ".join(str(error).split())[:300] or "no reason was given"
        print(f"{name} {FAILED}: {type(error).__name__}: {why}", file=sys.stderr, flush=True)
        rows = [{"name": f"{name}: {FAILED}", "reached": False}]
    return [{column: row.get(column) for column in COLUMNS} for row in rows]


def table(rows: list[dict[str, Any]]) -> str:
    """Lay the rows out for people."""
    words = [["benchmark", "value", "unit", "baseline", "ratio", "target", ""], *map(_words, rows)]
    widths = [max(len(line[at]) for line in words) for at in range(len(words[0]))]
    left = {0, 2, 6}
    return "\n".join(
        "  ".join(
            word.ljust(width) if at in left else word.rjust(width)
            for at, (word, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in words
    )


def markdown(rows: list[dict[str, Any]]) -> str:
    """Lay the rows out for docs/benchmarks.md."""
    head = ["| benchmark | value | unit | baseline | ratio | target | |", "|---|--:|---|--:|--:|--:|---|"]
    return "\n".join([*head, *("| " + " | ".join(_words(row)) + " |" for row in rows)])


def merged(old: list[dict[str, Any]], new: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Put the rows of the benchmarks that ran in the place of their older ones, all in the order of names."""
    kept: dict[str, list[dict[str, Any]]] = {}
    for row in old:
        kept.setdefault(str(row["name"]).partition(":")[0], []).append(row)
    known = benchmarks()
    return [row for name in known for row in {**kept, **new}.get(name, [])]


def main(arguments: list[str]) -> int:
    """Run the benchmarks named (`NAME` or `ONLY=NAME`), or all; 1 when one could not be run."""
    file = HERE.parents[1] / ".driftline" / "bench.json"
    old = json.loads(file.read_text()) if file.exists() else []
    if arguments == ["--markdown"]:
        print(markdown(old))
        return 0
    known = benchmarks()
    wanted = [name for word in arguments if (name := word.removeprefix("ONLY="))] or list(known)
    for name in wanted:
        if name not in known:
            print(f"benchmark {name!r} does not exist: use one of {', '.join(known)}", file=sys.stderr)
            return 1
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))  # benchmarks share modules of this folder
    context = Context(HERE.parents[1])
    found: dict[str, list[dict[str, Any]]] = {}
    try:
        for name in wanted:
            began = time.perf_counter()
            print(f"== {name}", flush=True)
            found[name] = run(name, known[name], context)
            print(f"   {time.perf_counter() - began:.0f} s", flush=True)
    finally:
        context.close()
    file.write_text(json.dumps(merged(old if arguments else [], found), indent=2) + "\n")
    print(table([row for rows in found.values() for row in rows]))
    print(f"written to {file.relative_to(HERE.parents[1])}")
    failed = [name for name, rows in found.items() if any(str(row["name"]).endswith(FAILED) for row in rows)]
    if failed:
        print(f"{FAILED}: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _words(row: dict[str, Any]) -> list[str]:
    return [
        str(row["name"]),
        _number(row["value"]),
        str(row["unit"] or ""),
        _number(row["baseline"]),
        _number(row["ratio"]),
        _number(row["target"]),
        {True: "reached", False: "missed", None: ""}[row["reached"]],
    ]


def _number(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
