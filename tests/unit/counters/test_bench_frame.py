"""The frame of the benchmarks: it finds them by file, names what is unknown, and lays rows out."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def frame(checkout: Path) -> ModuleType:
    """Load tests/bench/__main__.py as `make bench` does, without running it."""
    spec = importlib.util.spec_from_file_location("bench_frame", checkout / "tests" / "bench" / "__main__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_benchmark_is_a_file_with_a_run(frame: ModuleType) -> None:
    """`kernel` is one; the frame and the helpers beside it are none."""
    found = frame.benchmarks()
    assert "kernel" in found
    assert "__main__" not in found
    assert all("def run(context" in path.read_text() for path in found.values())


def test_an_unknown_benchmark_is_one_sentence(frame: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named, with those there are, and the exit code is 1."""
    assert frame.main(["ONLY=colonel"]) == 1
    assert capsys.readouterr().err.startswith("benchmark 'colonel' does not exist: use one of ")


def test_the_table_tells_reached_from_missed_from_told(frame: ModuleType) -> None:
    """A row without a target is neither reached nor missed."""
    row = {"name": "a", "value": 12345, "unit": "rows/s", "baseline": 5, "ratio": 0.25, "target": 0.12}
    lines = frame.table(
        [row | {"reached": True}, row | {"reached": False}, row | {"target": None, "reached": None}]
    )
    assert [line.split()[-1] for line in lines.splitlines()[1:]] == ["reached", "missed", "0.25"]
    assert "12,345" in lines
