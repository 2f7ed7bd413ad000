"""`driftline canary`: a share of callers for a version, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options, cold_option, prepare_option

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.command("canary")
@click.argument("deployment")
@click.argument("version")
@click.option(
    "--break-glass", is_flag=True, help="Lift approvals and bake time; another person reviews it within 72 h."
)
@click.option(
    "--step",
    "steps",
    multiple=True,
    required=True,
    metavar="STEP",
    help="One step, as in 5%:10m:500; several, in order.",
)
@click.option(
    "--max-wait",
    metavar="TIME",
    default="3d",
    show_default=True,
    help="After how long a step that cannot be judged takes the canary back: two windows and labels' delay must fit.",
)
@prepare_option
@cold_option
@asking_options()
def command(
    deployment: str,
    version: str,
    break_glass: bool,
    steps: tuple[str, ...],
    max_wait: str,
    prepare: str | None,
    cold_rollback: bool | None,
    how: How,
) -> int:
    """Let a share of the callers of DEPLOYMENT be answered by VERSION, step by step.

    A step is SHARE%, SHARE%:TIME or SHARE%:TIME:ROWS: which share of callers, how long at least, and how many
    predictions at least. It passes on mature windows that are no worse than the champion's, else it waits.
    """
    from driftline.deploy.control.drafts import plan, step

    def fields(board: Board) -> dict[str, Any]:
        return {
            **board.version(deployment, version),
            "plan": plan(
                steps=tuple(step(one) for one in steps),
                max_wait_s=max_wait,
                prepare_s=prepare,
                cold_rollback=cold_rollback,
            ),
            "break_glass": break_glass,
        }

    return ask("canary", how, fields)
