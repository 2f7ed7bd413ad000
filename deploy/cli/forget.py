"""`driftline forget`: what a prediction was asked is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.command("forget")
@click.argument("deployment")
@click.argument("prediction_id", metavar="ID")
@asking_options()
def command(deployment: str, prediction_id: str, how: How) -> int:
    """Remove inputs and label of prediction ID of DEPLOYMENT from archive and dead letters; its lineage stays.

    Kafka keeps what it has until its retention ends, which the outcome names.
    """

    def fields(board: Board) -> dict[str, Any]:
        del board
        return {"deployment": deployment, "target": prediction_id}

    return ask("forget", how, fields)
