"""`driftline log-reset`: the topic of commands is another one, and that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.command("log-reset")
@click.argument("topic_id")
@asking_options()
def command(topic_id: str, how: How) -> int:
    """Let the controller go on with another topic of commands, whose id is TOPIC_ID; root keys sign it.

    A controller stops when the topic is not the one it knew, or lost its end. Say why in the reason.
    """

    def fields(board: Board) -> dict[str, Any]:
        del board
        return {"target": topic_id}

    return ask("log-reset", how, fields)
