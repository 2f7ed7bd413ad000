"""`driftline shadow`: a version that is asked beside the champion, and not heard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.command("shadow")
@click.argument("deployment")
@click.argument("version")
@asking_options()
def command(deployment: str, version: str, how: How) -> int:
    """Let VERSION be asked beside the champion of DEPLOYMENT; nobody hears its answers.

    It must be validated. Its figures stand beside the champion's in windows, with slot shadow.
    """

    def fields(board: Board) -> dict[str, Any]:
        return board.version(deployment, version)

    return ask("shadow", how, fields)
