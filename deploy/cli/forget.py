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

    The archive does so within a minute of the record that says so, and again for what comes later. Kafka keeps what it
    has until its retention ends: 7 days of predictions and labels, 28 of dead letters. Of a request of several rows,
    each is a prediction with an id of its own, that of the request and '/0', '/1' and so on.
    """

    def fields(board: Board) -> dict[str, Any]:
        del board
        return {"deployment": deployment, "target": prediction_id}

    code = ask("forget", how, fields)
    if not (how.as_json or how.dry_run):
        click.echo(_rest())
    return code


def _rest() -> str:
    from driftline.schemas.topics import topic

    days = {name: (topic(name).retention_ms or 0) // 86_400_000 for name in ("predictions", "dead-letter")}
    return (
        f"once that is decided the archive obeys; Kafka keeps predictions and labels for {days['predictions']} days "
        f"and dead letters for {days['dead-letter']}: until then what it has of it is there"
    )
