"""`driftline completion`: the script that makes a shell complete commands, options and their values."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from driftline.schemas.errors import DriftlineError

VARIABLE = "_DRIFTLINE_COMPLETE"
"""What click looks for, made of the program's name."""


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete driftline's commands, options and their values.

    Evaluate it as the shell starts: eval "$(driftline completion bash)" in ~/.bashrc, the same with zsh in ~/.zshrc;
    fish reads it from ~/.config/fish/completions/driftline.fish.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise DriftlineError(f"this version of click does not complete {shell}: install a newer one")
    root = ctx.find_root().command
    click.echo(kind(root, {}, "driftline", VARIABLE).source())
