"""`driftline halt`: one signer, no approval: a rollout is frozen, or nothing is served any more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options
from driftline.deploy.cli.group import Group
from driftline.deploy.cli.output import json_option, print_json

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.group("halt", cls=Group)
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


@command.command("local")
@click.argument("deployment")
@click.option(
    "--socket", "paths", type=click.Path(path_type=Path), multiple=True, metavar="FILE",
    help="Of one agent; may be repeated; default: every halt.sock below the setting serve.state_dir.",
)  # fmt: skip
@click.option("--instead", metavar="VERSION", help="An earlier champion that answers instead; default: 503.")
@click.option("--back-to", metavar="VERSION", help="Roll back to this version in place of a halt.")
@click.option(
    "--rollout", "of_rollout", is_flag=True, help="Freeze the weights of the rollout in place of a halt."
)
@click.option("--reason", required=True, metavar="TEXT", help="Why, for callers and the history.")
@click.option(
    "--approval",
    "approvals",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    metavar="FILE",
    help="Envelope of an approval, where the policy wants one; may be repeated.",
)
@click.option(
    "--key",
    "keys",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    metavar="FILE",
    help="Key file to sign with, in place of the setting control.key.",
)
@json_option
def local(
    deployment: str,
    *,
    paths: tuple[Path, ...],
    instead: str | None,
    back_to: str | None,
    of_rollout: bool,
    reason: str,
    approvals: tuple[Path, ...],
    keys: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Halt DEPLOYMENT on the agents of this machine, without Kafka: they obey, and tell the controller later."""
    from driftline.deploy.local.discover import load_here
    from driftline.deploy.serving.locally import Wanted, given

    settings = load_here(os.environ, Path.cwd())
    wanted = Wanted(deployment, instead, back_to, reason, rollout=of_rollout)
    told = given(settings, paths, wanted, keys, approvals)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{', '.join(told['instances'])} obeys: {told['op']} of {deployment}")
    return 0
