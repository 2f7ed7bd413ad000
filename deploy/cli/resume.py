"""`driftline resume`: what was halted goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.command("resume")
@click.argument("what", type=click.Choice(["serving", "rollout"]))
@click.argument("deployment")
@click.option("--break-glass", is_flag=True, help="Lift approvals; another person reviews it within 72 h.")
@asking_options()
def command(what: str, deployment: str, break_glass: bool, how: How) -> int:
    """Let serving, or the rollout, of DEPLOYMENT go on; a rollout's step lasts its time again."""

    def fields(board: Board) -> dict[str, Any]:
        return {
            "deployment": deployment,
            "target": what,
            "expected_revision": board.state(deployment).revision,
            "break_glass": break_glass,
        }

    return ask("resume", how, fields)
