"""One run of the demo, and what it left, for all tests of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from demo_run import Run, ran


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run in an empty directory."""
    return ran(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def folder(run: Run) -> Path:
    """The demo's folder after the run."""
    return run.folder


@pytest.fixture(scope="session")
def summary(folder: Path) -> dict[str, Any]:
    """Read summary.json."""
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found
