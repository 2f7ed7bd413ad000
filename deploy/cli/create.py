"""`driftline create`: the first champion of a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options, prepare_option

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.command("create")
@click.argument("deployment")
@click.argument("version")
@prepare_option
@asking_options()
def command(deployment: str, version: str, prepare: str | None, how: How) -> int:
    """Let VERSION, which is validated, be the first champion of DEPLOYMENT.

    Every live instance loads it, and then all of them answer with it.
    """
    from driftline.deploy.control.drafts import plan

    def fields(board: Board) -> dict[str, Any]:
        return {**board.version(deployment, version), "plan": plan(prepare_s=prepare)}

    return ask("create", how, fields)
