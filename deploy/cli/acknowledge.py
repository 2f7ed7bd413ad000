"""`driftline acknowledge`: somebody knows of an alert, signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.alerts import firing
from driftline.deploy.cli.asking import How, ask, asking_options
from driftline.deploy.cli.audit_source import settings_of_stack

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.command("acknowledge")
@click.argument("deployment")
@click.argument("alert_id")
@asking_options()
def command(deployment: str, alert_id: str, how: How) -> int:
    """Say, signed, that you know of ALERT_ID of DEPLOYMENT, an alert that fires; the first letters are enough.

    'driftline alerts ack' says the same without a place in the audit.
    """
    found = firing(settings_of_stack(), alert_id, deployment)

    def fields(board: Board) -> dict[str, Any]:
        del board
        return {"deployment": deployment, "target": found["alert_id"]}

    return ask("acknowledge", how, fields)
