"""The click groups: one imports a command only when it is called, and all say what a typo may have meant."""

from __future__ import annotations

import difflib
import importlib
from textwrap import indent

import click
from click.shell_completion import CompletionItem

from driftline.deploy.cli.commands import BY_NAME, COMMANDS, SECTIONS, CommandEntry
from driftline.deploy.cli.examples import EXAMPLES
from driftline.deploy.cli.examples import shown as written
from driftline.schemas.errors import DriftlineError

MEANT_MOST = 3
NAME_WIDTH = 26
LONGEST_HELP = 200


class MissingExtraError(DriftlineError):
    """A command was called whose libraries are not installed."""

    def __init__(self, entry: CommandEntry, module: str) -> None:
        """Name the command, the module that is missing and the line that installs it."""
        lacks = f"'driftline {entry.name}' needs the Python module {module!r}, which is not installed"
        mend = "install driftline again" if module.startswith("driftline.") else entry.install
        super().__init__(f"{lacks}: {mend}")


class Group(click.Group):
    """A group of commands that answers a name that it has not with those that look like it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, or say which may be."""
        name = args[0]
        known = self.list_commands(ctx)
        if name in known or name.startswith("-"):
            return super().resolve_command(ctx, args)
        meant = difflib.get_close_matches(name, known, MEANT_MOST)
        hint = f": did you mean {' or '.join(map(repr, meant))}?" if meant else ""
        raise click.UsageError(f"No such command {name!r}{hint}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with the whole first sentence of each, where click would cut it."""
        del ctx
        rows = [(name, command.get_short_help_str(LONGEST_HELP)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class LazyGroup(Group):
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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names of commands from the table; options as any group does."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(e.name, help=e.help) for e in COMMANDS if e.name.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands, section by section, without importing one."""
        del ctx
        for title, entries in sections():
            with formatter.section(title):
                formatter.write_dl([(shown(e), e.help) for e in entries], col_max=NAME_WIDTH)
        with formatter.section("In brackets"):
            formatter.write_text("the extra that a command needs: pip install 'driftline[local]'")


def shown(entry: CommandEntry) -> str:
    """Name a command with the extra that it needs."""
    return f"{entry.name} [{entry.extra}]" if entry.extra else entry.name


def sections() -> list[tuple[str, list[CommandEntry]]]:
    """Give every command of the table once, by section; those of no section stand last."""
    named = {name for names in SECTIONS.values() for name in names}
    found = [(title, [BY_NAME[name] for name in names]) for title, names in SECTIONS.items()]
    rest = [entry for entry in COMMANDS if entry.name not in named]
    return [*found, *([("Other", rest)] if rest else [])]


def load(entry: CommandEntry) -> click.Command:
    """Import the module of a command and return the command, with examples in its help.

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
    _dress(entry.name, command)
    return command


def _dress(path: str, command: click.Command) -> None:
    """Give a command and those below it their examples, and numbers a name: click's own is INTEGER RANGE."""
    for option in command.params:
        if option.metavar is None and isinstance(option.type, click.IntRange | click.FloatRange):
            option.metavar = "N"
    lines = EXAMPLES.get(path)
    if lines:
        # The sign keeps click from wrapping what follows.
        command.epilog = "\b\nExamples:\n" + indent("\n".join(map(written, lines)), "  ")
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            _dress(f"{path} {name}", child)
