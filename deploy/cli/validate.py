"""`driftline validate`: a registered version is fit for use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.command("validate")
@click.argument("deployment")
@click.argument("version")
@click.argument("evidence", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@asking_options()
def command(deployment: str, version: str, evidence: Path, how: How) -> int:
    """Say that VERSION of DEPLOYMENT is fit for use; whoever registered it may not.

    EVIDENCE is the file of what you looked at, a report or a notebook: its sha256 stands in the history.
    """
    from driftline.deploy.control.files import file_digest

    def fields(board: Board) -> dict[str, Any]:
        return {
            **board.version(deployment, version),
            "evidence": file_digest(evidence),
        }

    return ask("validate", how, fields)
