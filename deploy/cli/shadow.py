"""`driftline shadow`: a version that is asked beside the champion, and not heard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options, cold_option, prepare_option

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.command("shadow")
@click.argument("deployment")
@click.argument("version")
@prepare_option
@cold_option
@asking_options()
def command(deployment: str, version: str, prepare: str | None, cold_rollback: bool | None, how: How) -> int:
    """Let VERSION be asked beside the champion of DEPLOYMENT; nobody hears its answers.

    It must be validated. Its figures stand beside the champion's in windows, with slot shadow.
    """
    from driftline.deploy.control.drafts import plan

    def fields(board: Board) -> dict[str, Any]:
        asked = plan(prepare_s=prepare, cold_rollback=cold_rollback)
        return {**board.version(deployment, version), "plan": asked}

    return ask("shadow", how, fields)
