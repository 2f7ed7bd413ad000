"""Examples in the help of commands: each command has one, and each is a command line that is taken."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest
from cli_leaves import Words, every_leaf

from driftline.deploy.cli import _group, main
from driftline.deploy.cli.examples import EXAMPLES

LEAVES = every_leaf()
WIDEST = 80


def words(line: str) -> list[str]:
    """Split an example as a shell does, up to a pipe or a file."""
    found = shlex.split(line)
    ends = [at for at, word in enumerate(found) if word in {"|", ">", ">>"}]
    return found[: ends[0]] if ends else found


def parsed(arguments: list[str]) -> Words:
    """Parse a command line without running it; the words of the command that it is for."""
    context = click.Context(_group(), info_name="driftline")
    command: click.Command = context.command
    path: Words = ()
    while isinstance(command, click.Group):
        if command.invoke_without_command and arguments[0] not in command.commands:
            break
        name, found, arguments = command.resolve_command(context, arguments)
        assert found is not None
        command, path = found, (*path, str(name))
    command.make_context(path[-1], list(arguments))
    return path


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_has_an_example(path: Words) -> None:
    """A command has at least one example, which its help shows."""
    shown = LEAVES[path].get_help(click.Context(LEAVES[path], info_name=" ".join(path)))
    assert EXAMPLES[" ".join(path)]
    for line in EXAMPLES[" ".join(path)]:
        assert f"driftline {line}" in " ".join(shown.replace("\\\n", "").split())


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_a_command_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example is of a command there is, and every option and value of it is taken."""
    for folder in ("audit-2026", "churn-2"):
        (tmp_path / folder).mkdir()
    for file in ("report.html", "retrain.toml"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    for line in EXAMPLES[name]:
        assert " ".join(parsed(words(line))).startswith(name), line


@pytest.mark.parametrize("path", [(), *LEAVES], ids=" ".join)
def test_help_fits_a_terminal(
    path: Words, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No line of any help is wider than 80 columns."""
    monkeypatch.setenv("COLUMNS", str(WIDEST))
    assert main([*path, "--help"]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > WIDEST] == []
