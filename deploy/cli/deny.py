"""`driftline deny`: a person's word against a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.command("deny")
@click.argument("digest")
@asking_options()
def command(digest: str, how: How) -> int:
    """Deny the command with DIGEST, which waits or is to be reviewed; the first 8 digits are enough.

    What you deny is shown first, as it was signed, out of the verified audit. One denial ends it.
    """
    from driftline.deploy.control.shown import deployment_of, named_lines

    def fields(board: Board) -> dict[str, Any]:
        found = board.named(digest)
        if not how.as_json:
            for line in named_lines(found):
                click.echo(line)
            click.echo()
        return {"target": found.digest, "deployment": deployment_of(found)}

    return ask("deny", how, fields)
