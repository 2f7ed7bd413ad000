"""The files of the checkout, as the tests of the house read them."""

from __future__ import annotations

import ast
import gc
import subprocess
from pathlib import Path

import pytest

FLOORS = ("schemas", "agents", "streams", "deploy")


@pytest.fixture(scope="session")
def tracked(checkout: Path) -> list[Path]:
    """Return every file that is, or is about to be, in the repository; relative to the checkout."""
    listed = subprocess.run(
        ["git", "-C", str(checkout), "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [Path(name) for name in listed if (checkout / name).is_file()]


@pytest.fixture(scope="package")
def sources(checkout: Path, tracked: list[Path]) -> dict[Path, ast.Module]:
    """Return the syntax tree of every tracked Python file, by its path in the checkout."""
    # Millions of objects without a cycle: looking for garbage among them takes a minute.
    gc.disable()
    found = {
        file: ast.parse((checkout / file).read_text(encoding="utf-8"), str(file))
        for file in tracked
        if file.suffix == ".py" and not (checkout / file).is_symlink()
    }
    gc.freeze()
    gc.enable()
    return found


@pytest.fixture(scope="package")
def floors(sources: dict[Path, ast.Module]) -> dict[Path, ast.Module]:
    """Return the syntax trees of the four floors alone; examples are read and run by others."""
    return {
        file: tree
        for file, tree in sources.items()
        if file.parts[0] in FLOORS and not file.is_relative_to("deploy/examples")
    }
