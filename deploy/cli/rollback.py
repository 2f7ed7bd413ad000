"""`driftline rollback`: an earlier champion answers again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options, prepare_option

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.command("rollback")
@click.argument("deployment")
@click.argument("version", required=False)
@click.option(
    "--break-glass", is_flag=True, help="Lift approvals and bake time; another person reviews it within 72 h."
)
@prepare_option
@asking_options()
def command(deployment: str, version: str | None, break_glass: bool, prepare: str | None, how: How) -> int:
    """Let VERSION answer all callers of DEPLOYMENT again, and take a rollout back.

    Without VERSION: while a canary is on its way, the champion; else the champion before this one. Only the last
    champions can be gone back to; it needs no approval.
    """
    from driftline.deploy.control.drafts import plan
    from driftline.deploy.control.targets import target

    def fields(board: Board) -> dict[str, Any]:
        state = board.state(deployment)
        return {
            "deployment": deployment,
            "model": target(state) if version is None else board.model(deployment, version),
            "expected_revision": state.revision,
            "plan": plan(prepare_s=prepare),
            "break_glass": break_glass,
        }

    return ask("rollback", how, fields)
