"""The click group that imports a command only when it is called, and lists all of them from a table."""

from __future__ import annotations

import importlib

import click

from driftline.deploy.cli.commands import BY_NAME, COMMANDS, CommandEntry
from driftline.schemas.errors import DriftlineError


class MissingExtraError(DriftlineError):
    """A command was called whose libraries are not installed."""

    def __init__(self, entry: CommandEntry, module: str) -> None:
        """Name the command, the module that is missing and the line that installs it."""
        lacks = f"'driftline {entry.name}' needs the Python module {module!r}, which is not installed"
        mend = "install driftline again" if module.startswith("driftline.") else entry.install
        super().__init__(f"{lacks}: {mend}")


class LazyGroup(click.Group):
    """A group whose commands come from the table COMMANDS, imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table, which is the order of use."""
        del ctx
        return [entry.name for entry in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; None when the table has no such name."""
        del ctx
        entry = BY_NAME.get(cmd_name)
        return None if entry is None else load(entry)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing one."""
        del ctx
        with formatter.section("Commands (and the extra each needs)"):
            formatter.write_dl([(f"{e.name} [{e.extra}]", e.help) for e in COMMANDS], col_max=24)


def load(entry: CommandEntry) -> click.Command:
    """Import the module of a command and return the command.

    Raises:
        MissingExtraError: a library of the command's extra is not installed.

    """
    try:
        module = importlib.import_module(entry.module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(entry, str(error.name)) from error
    command = module.command
    if not isinstance(command, click.Command):
        raise TypeError(entry.module)
    return command
