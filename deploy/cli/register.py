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
@click.argument("manifest", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--profile", metavar="HEX", help="Digest of the reference profile, where the manifest names none."
)
@asking_options()
def command(deployment: str, manifest: Path, profile: str | None, how: How) -> int:
    """Make a model known to DEPLOYMENT; the first one makes the deployment.

    MANIFEST is the signed manifest of its package, as 'driftline model pack' wrote it. The reference profile that it
    names is the one that its windows are held against.
    """
    from driftline.deploy.control.manifests import SignedManifest

    read = SignedManifest.read(manifest)

    def fields(board: Board) -> dict[str, Any]:
        del board
        return {
            "deployment": deployment,
            "model": read.model,
            "manifest": read.text,
            "profile": profile or read.profile,
        }

    return ask("register", how, fields)
