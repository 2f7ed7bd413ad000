"""Every command of the command line that does something, by the words that name it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from driftline.deploy.cli.commands import COMMANDS
from driftline.deploy.cli.group import load

Words = tuple[str, ...]


def leaves(command: click.Command, path: Words) -> Iterator[tuple[Words, click.Command]]:
    """Yield every command that does something below one, with the words that name it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    if command.invoke_without_command:
        yield path, command
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from leaves(found, (*path, name))


def every_leaf() -> dict[Words, click.Command]:
    """Return all of them, in the order of the table."""
    return {path: one for entry in COMMANDS for path, one in leaves(load(entry), (entry.name,))}
