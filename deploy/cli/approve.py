"""`driftline approve`: a person's word for a command."""

from __future__ import annotations

import click

from driftline.deploy.cli.asking import How, answer, asking_options


@click.command("approve")
@click.argument("digest")
@asking_options("approved")
def command(digest: str, how: How) -> int:
    """Approve the command with DIGEST, which waits or is to be reviewed; the first 8 digits are enough.

    What you approve is shown first, as it was signed, out of the verified audit.
    """
    return answer("approve", digest, how)
