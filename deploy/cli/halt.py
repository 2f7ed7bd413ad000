"""`driftline halt`: one signer, no approval: a rollout is frozen, or nothing is served any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.group("halt")
def command() -> None:
    """Stop a rollout where it is, or stop serving: one signer, no approval."""


@command.command("rollout")
@click.argument("deployment")
@asking_options()
def rollout(deployment: str, how: How) -> int:
    """Freeze the weights of the rollout in DEPLOYMENT until somebody resumes it, or its longest wait is over."""

    def fields(board: Board) -> dict[str, Any]:
        return {"deployment": board.state(deployment).deployment}

    return ask("halt-rollout", how, fields)


@command.command("serving")
@click.argument("deployment")
@click.option("--instead", metavar="VERSION", help="An earlier champion that answers instead; default: 503.")
@asking_options()
def serving(deployment: str, instead: str | None, how: How) -> int:
    """Let every instance of DEPLOYMENT answer 503 with the reason, or let an earlier champion answer instead."""

    def fields(board: Board) -> dict[str, Any]:
        model = None if instead is None else board.model(deployment, instead)
        return {"deployment": board.state(deployment).deployment, "model": model}

    return ask("halt-serving", how, fields)
