"""Documentation that the code writes: it must be what the code says now."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import msgspec
import pytest

from driftline.deploy.cli.commands import COMMANDS, CommandEntry
from driftline.deploy.cli.group import load
from driftline.schemas.settings import Settings

PAGES = (
    "commands.md", "settings.md", "topics.md", "access.md", "metrics.md", "tables.md", "schemas.md", "alerts.md",
    "rules.md", "errors.md",
)  # fmt: skip


@pytest.fixture(scope="module")
def reference(checkout: Path) -> Iterator[ModuleType]:
    """Give scripts/reference.py as a module."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.syspath_prepend(str(checkout / "scripts"))  # scripts share modules
    spec = importlib.util.spec_from_file_location("reference", checkout / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    monkeypatch.undo()


@pytest.mark.parametrize("page", PAGES)
def test_reference_pages_say_what_the_code_says(checkout: Path, reference: ModuleType, page: str) -> None:
    """Each page of docs/reference is what scripts/reference.py writes now."""
    text = (checkout / "docs" / "reference" / page).read_text(encoding="utf-8")
    assert text == reference.pages()[page]


def test_every_setting_has_a_meaning(reference: ModuleType) -> None:
    """Each setting is documented: its page names the variable, what it is for and what is allowed."""
    page = reference.pages()["settings.md"].splitlines()
    for section in msgspec.structs.fields(Settings):
        for field in msgspec.structs.fields(section.type):
            variable = f"`DRIFTLINE_{section.name}_{field.name}`".upper()
            row = next(line for line in page if variable in line)
            cells = [cell.strip() for cell in row.strip("|").split("|")]
            assert cells[2], row
            assert cells[4], row


def leaves(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and, below a group, its commands."""
    yield name, command
    if isinstance(command, click.Group):
        for child_name, child in command.commands.items():
            yield from leaves(f"{name} {child_name}", child)


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_every_command_and_option_has_help(entry: CommandEntry) -> None:
    """A command says what it does, and so does each of its options."""
    for name, command in leaves(entry.name, load(entry)):
        assert command.help, name
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert option.help, f"{name} {option.opts[0]}"


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_every_command_is_documented(checkout: Path, entry: CommandEntry) -> None:
    """Each command stands in the reference, with the extra it needs."""
    page = (checkout / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert f"## driftline {entry.name}\n" in page
    assert (f"`{entry.extra}`" if entry.extra else "Needs no extra.") in page
