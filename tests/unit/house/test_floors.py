"""The floors: who may import whom, read from the syntax of every module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

# Floor -> the floors it may import. Nobody imports deploy, and streams and agents do not know each other.
ALLOWED = {
    "schemas": {"schemas"},
    "agents": {"schemas", "agents"},
    "streams": {"schemas", "streams"},
    "deploy": {"schemas", "agents", "streams", "deploy"},
}
KAFKA = {"confluent_kafka", "aiokafka", "faust", "mode", "kafka"}
CLICKHOUSE = {"clickhouse_connect", "clickhouse_driver", "chdb"}
FRAMES = {"pandas", "polars", "pyarrow", "numba", "scipy", "sklearn"}
# What touches the world: a clock, a socket, a file, a process.
WORLD = {
    "time",
    "socket",
    "subprocess",
    "threading",
    "asyncio",
    "os",
    "pathlib",
    "random",
    "requests",
    "urllib",
}
LONGEST_MODULE_LINES = 300


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the full dotted name of everything a syntax tree imports, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "driftline":
                yield from (f"driftline.{alias.name}" for alias in node.names)


def top_level_imports(tree: ast.Module) -> Iterator[str]:
    """Yield what importing the module itself loads: imports outside functions and type-checking blocks."""
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield from imports(statement)


def under(floors: dict[Path, ast.Module], folder: str) -> dict[Path, ast.Module]:
    """Return the modules below one folder; fails when there is none, so that no check passes on nothing."""
    found = {file: tree for file, tree in floors.items() if file.is_relative_to(folder)}
    assert found, folder
    return found


def roots(names: Iterator[str]) -> set[str]:
    """Return the first part of each name."""
    return {name.partition(".")[0] for name in names}


def test_each_floor_imports_only_the_floors_below_it(floors: dict[Path, ast.Module]) -> None:
    """The contract imports no floor, streams and agents only schemas, and nobody imports deploy."""
    wrong = [
        f"{file} imports {name}"
        for file, tree in floors.items()
        for name in imports(tree)
        if name.startswith("driftline.") and name.split(".")[1] not in ALLOWED[file.parts[0]]
    ]
    assert wrong == []


def test_the_contract_knows_no_client(floors: dict[Path, ast.Module]) -> None:
    """No module of schemas imports a Kafka client, Faust, ClickHouse or data frames, even in a function."""
    wrong = [
        (str(file), banned)
        for file, tree in under(floors, "schemas").items()
        if (banned := roots(imports(tree)) & (KAFKA | CLICKHOUSE | FRAMES))
    ]
    assert wrong == []


def test_the_tiny_client_loads_nothing_of_weight(floors: dict[Path, ast.Module]) -> None:
    """No module of agents/emit imports Faust, ClickHouse or a data frame library at its top."""
    wrong = [
        (str(file), banned)
        for file, tree in under(floors, "agents/emit").items()
        if (banned := roots(top_level_imports(tree)) & (CLICKHOUSE | FRAMES | {"faust", "mode", "aiokafka"}))
    ]
    assert wrong == []


def test_the_statistics_touch_nothing(floors: dict[Path, ast.Module]) -> None:
    """The folder streams/stats is pure: it imports no clock, no I/O and no client."""
    wrong = [
        (str(file), banned)
        for file, tree in under(floors, "streams/stats").items()
        if (banned := roots(imports(tree)) & (KAFKA | CLICKHOUSE | WORLD))
    ]
    assert wrong == []


def test_the_processors_alone_know_faust(floors: dict[Path, ast.Module]) -> None:
    """Faust is imported by streams/processors and by nobody else."""
    wrong = [
        str(file)
        for file, tree in floors.items()
        if not file.is_relative_to("streams/processors") and roots(imports(tree)) & {"faust", "mode"}
    ]
    assert wrong == []


def test_imports_are_absolute(sources: dict[Path, ast.Module]) -> None:
    """No file uses a relative import."""
    wrong = [
        f"{file}:{node.lineno}"
        for file, tree in sources.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert wrong == []


def test_modules_are_short(checkout: Path, sources: dict[Path, ast.Module]) -> None:
    """No Python file is longer than 300 lines: past that there is a second noun inside."""
    lengths = {str(file): len((checkout / file).read_text(encoding="utf-8").splitlines()) for file in sources}
    assert {file: lines for file, lines in lengths.items() if lines > LONGEST_MODULE_LINES} == {}


def test_modules_say_what_they_are_for(sources: dict[Path, ast.Module]) -> None:
    """Every module opens with a docstring of at least a sentence."""
    wrong = [
        str(file) for file, tree in sources.items() if len(ast.get_docstring(tree) or "") < len("Be a word.")
    ]
    assert wrong == []
