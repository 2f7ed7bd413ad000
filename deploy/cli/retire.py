"""`driftline retire`: a version, or a deployment, ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.command("retire")
@click.argument("deployment")
@click.argument("version", required=False)
@asking_options()
def command(deployment: str, version: str | None, how: How) -> int:
    """Take VERSION of DEPLOYMENT out for good; without VERSION, the deployment itself, and nothing serves any more."""

    def fields(board: Board) -> dict[str, Any]:
        return {
            "deployment": deployment,
            "model": None if version is None else board.model(deployment, version),
            "expected_revision": board.state(deployment).revision,
        }

    return ask("retire", how, fields)
