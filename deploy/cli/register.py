"""`driftline register`: a package becomes known to a deployment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.command("register")
@click.argument("deployment")
@click.argument("package", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--profile", metavar="HEX", help="Digest of the reference profile, where the manifest names none."
)
@asking_options()
def command(deployment: str, package: Path, profile: str | None, how: How) -> int:
    """Make a model known to DEPLOYMENT; the first one makes the deployment.

    PACKAGE is its folder, as 'driftline model pack' wrote it; its signed manifest travels with the command. The
    reference profile that it names is the one that its windows are held against.
    """
    from driftline.deploy.control.errors import AskingError
    from driftline.deploy.control.manifests import packaged

    signed, text = packaged(package)
    held = signed.manifest.profile
    if profile is None and held is None:
        raise AskingError(
            f"{signed.manifest.title} names no reference profile, by which its windows are judged: pack it with "
            "--profile, or name the digest of one by --profile"
        )

    def fields(board: Board) -> dict[str, Any]:
        del board
        return {
            "deployment": deployment,
            "model": signed.ref,
            "manifest": text,
            "profile": profile or (None if held is None else held.digest),
        }

    return ask("register", how, fields)
