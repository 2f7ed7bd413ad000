"""What no tracked file may hold, and what every test and page must."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HOSTS = ("pypi.org", "pythonhosted.org", "registry.npmjs", "repo.maven.apache", "repo1.maven")
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(?:root|work|home/\w+)/")
OWN_NAME = Path(__file__).name  # this file names what it forbids
LONGEST_LINE = 125
BUILT = ("docs/reference/", "docs/runbooks/panels/")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def texts(checkout: Path, tracked: list[Path]) -> dict[str, str]:
    """Return the text of every tracked file that is text, by its path."""
    found = {}
    for file in tracked:
        if file.name == OWN_NAME:
            continue
        try:
            found[str(file)] = (checkout / file).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    assert found
    return found


def test_no_file_names_a_registry(checkout: Path, tracked: list[Path]) -> None:
    """Dependencies are pinned by version and checksum; where they come from is the reader's own setting."""
    all_texts = texts(checkout, tracked)
    assert [(file, host) for file, text in all_texts.items() for host in HOSTS if host in text] == []


def test_no_file_names_a_path_of_one_machine(checkout: Path, tracked: list[Path]) -> None:
    """No tracked file holds an absolute path below somebody's home."""
    found = {
        file: match.group()
        for file, text in texts(checkout, tracked).items()
        if (match := MACHINE_PATH.search(text))
    }
    assert found == {}


def test_nothing_is_left_unfinished(checkout: Path, tracked: list[Path]) -> None:
    """No tracked file marks work that was left for later."""
    own = {str(Path(__file__).resolve().relative_to(checkout)), "pyproject.toml"}
    found = [
        file for file, text in texts(checkout, tracked).items() if file not in own and UNFINISHED.search(text)
    ]
    assert found == []


def test_every_test_states_a_fact(sources: dict[Path, ast.Module]) -> None:
    """Each test function has a docstring, which is the fact it holds."""
    wrong = [
        f"{file}::{node.name}"
        for file, tree in sources.items()
        if file.parts[0] == "tests" and file.name.startswith("test_")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert wrong == []


def test_no_test_is_skipped(sources: dict[Path, ast.Module]) -> None:
    """A test that cannot run fails and says what is missing; none is skipped or expected to fail."""
    skips = {"skip", "skipif", "xfail", "importorskip"}
    wrong = [
        f"{file}:{node.lineno}"
        for file, tree in sources.items()
        if file.parts[0] == "tests"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in skips and ast.unparse(node).startswith("pytest.")
    ]
    assert wrong == []


def test_test_files_have_names_of_their_own(sources: dict[Path, ast.Module]) -> None:
    """No two test modules share a name, so that a failure names one place."""
    names = [file.name for file in sources if file.parts[0] == "tests" and file.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))


def test_the_changelog_has_an_unreleased_section(checkout: Path) -> None:
    """CHANGELOG.md is in keep-a-changelog form and its first section collects what is not released."""
    text = (checkout / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE)[0] == "[Unreleased]"


def test_pages_are_read_without_scrolling(checkout: Path, tracked: list[Path]) -> None:
    """No line of prose is longer than 125 characters, but tables, code and links; each page ends with a newline."""
    wrong = []
    for file, text in texts(checkout, tracked).items():
        if not file.endswith(".md") or file.startswith(BUILT):
            continue
        is_code = False
        for number, line in enumerate(text.splitlines(), start=1):
            is_code ^= line.lstrip().startswith("```")
            if (
                len(line) > LONGEST_LINE
                and not is_code
                and not line.lstrip().startswith("|")
                and "](" not in line
            ):
                wrong.append(f"{file}:{number}")
        wrong += [] if text.endswith("\n") else [f"{file}: no newline at its end"]
    assert wrong == []
