"""What is installed, and under which names."""

from __future__ import annotations

import ast
import importlib
import importlib.resources
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

FLOORS = ("agents", "deploy", "schemas", "streams")
# Modules named otherwise than the distribution that brings them.
BROUGHT_BY = {"faust": "faust-streaming", "sklearn": "scikit-learn"}
# What another library shows of itself: the driver's own errors, and parts of Faust, which is pinned exactly.
PART_OF = {"aiokafka": "faust-streaming", "mode": "faust-streaming", "urllib3": "clickhouse-connect"}
LOCKS = ("dev.txt", "run.txt", "client.txt", "build.txt", "beside.txt", "spark.txt")


@pytest.fixture(scope="module")
def project(checkout: Path) -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))


def declared(project: dict[str, Any]) -> set[str]:
    """Return the names of all distributions that pyproject.toml asks for, extras included."""
    extras = project["project"]["optional-dependencies"].values()
    wanted = [*project["project"]["dependencies"], *(entry for extra in extras for entry in extra)]
    names = {re.split(r"[\[<>=!~; ]", entry)[0].lower().replace("_", "-") for entry in wanted}
    return names - {"driftline"}


@pytest.mark.parametrize("name", FLOORS)
def test_the_top_level_names_stay_free(name: str) -> None:
    """In a test process `import agents` (deploy, schemas, streams) fails: those names belong to others."""
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(name)


@pytest.mark.parametrize("name", FLOORS)
def test_every_floor_is_typed(name: str) -> None:
    """py.typed lies in all four floors as installed."""
    assert importlib.resources.files(f"driftline.{name}").joinpath("py.typed").is_file()


def test_driftline_is_a_namespace() -> None:
    """`driftline` itself has no module of its own, so that other distributions may add to it."""
    assert importlib.import_module("driftline").__file__ is None


def test_every_package_is_listed(project: dict[str, Any], floors: dict[Path, ast.Module]) -> None:
    """pyproject.toml lists exactly the folders that hold modules, or the wheel would lack them."""
    found = {"driftline." + ".".join(file.parent.parts) for file in floors}
    assert set(project["tool"]["setuptools"]["packages"]) == found


def test_every_package_has_an_init(checkout: Path, project: dict[str, Any]) -> None:
    """Each listed package is a regular one, with an __init__ that says what it is for."""
    packages = project["tool"]["setuptools"]["packages"]
    wrong = [
        name
        for name in packages
        if not (checkout / name.replace(".", "/")[len("driftline/") :] / "__init__.py").is_file()
    ]
    assert wrong == []


def test_every_library_that_is_imported_is_declared(
    project: dict[str, Any], floors: dict[Path, ast.Module]
) -> None:
    """What a floor imports stands in pyproject.toml, and does not come by chance with something else."""
    imported = {
        name.partition(".")[0]
        for tree in floors.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        )
    }
    foreign = imported - set(sys.stdlib_module_names) - {"driftline"}
    wanted = {{**BROUGHT_BY, **PART_OF}.get(name, name.replace("_", "-")) for name in foreign}
    assert wanted - declared(project) == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_are_hashed_and_name_no_place(checkout: Path, lock: str) -> None:
    """A lock holds exact versions and SHA-256 hashes, and neither a URL nor the name of an index."""
    text = (checkout / "requirements" / lock).read_text(encoding="ascii")
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert blocks
    wrong = [b for b in blocks if not re.match(r"[a-z0-9._-]+==\S+", b) or "--hash=sha256:" not in b]
    assert wrong == []
    assert not re.search(r"://|--index|--find-links|--trusted", text)


def test_the_lock_covers_every_extra(checkout: Path, project: dict[str, Any]) -> None:
    """Each dependency of pyproject.toml is locked in dev.txt: `make lock` was run after the last change."""
    locked = set(
        re.findall(r"^([a-z0-9.-]+)==", (checkout / "requirements" / "dev.txt").read_text(), re.MULTILINE)
    )
    assert declared(project) - locked == set()


def test_the_licence_is_apache_2(checkout: Path) -> None:
    """LICENSE is the Apache License 2.0, and pyproject.toml says so."""
    text = (checkout / "LICENSE").read_text(encoding="ascii")
    assert text.split("\n")[1:3] == [" " * 33 + "Apache License", " " * 27 + "Version 2.0, January 2004"]
    assert 'license = "Apache-2.0"' in (checkout / "pyproject.toml").read_text(encoding="utf-8")
