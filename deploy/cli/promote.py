"""`driftline promote`: a version that becomes the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options, cold_option, prepare_option

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.command("promote")
@click.argument("deployment")
@click.argument("version")
@click.option(
    "--break-glass", is_flag=True, help="Lift approvals and bake time; another person reviews it within 72 h."
)
@click.option("--bake", metavar="TIME", help="How long the previous champion stays loaded; default: 1h.")
@click.option(
    "--automatic-rollback/--no-automatic-rollback", default=None,
    help="Whether windows that are worse take it back by themselves; default: they do.",
)  # fmt: skip
@prepare_option
@cold_option
@asking_options()
def command(
    deployment: str,
    version: str,
    break_glass: bool,
    bake: str | None,
    automatic_rollback: bool | None,
    prepare: str | None,
    cold_rollback: bool | None,
    how: How,
) -> int:
    """Make VERSION the champion of DEPLOYMENT; the one before it stays loaded while this one bakes.

    A canary is promoted once the last step of its rollout has passed. Named the champion itself, its grant is renewed:
    the same answers as before, by keys that count now.
    """
    from driftline.deploy.control.drafts import plan

    def fields(board: Board) -> dict[str, Any]:
        return {
            **board.version(deployment, version),
            "plan": plan(
                bake_s=bake,
                automatic_rollback=automatic_rollback,
                prepare_s=prepare,
                cold_rollback=cold_rollback,
            ),
            "break_glass": break_glass,
        }

    return ask("promote", how, fields)
