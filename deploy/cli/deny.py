"""`driftline deny`: a person's word against a command."""

from __future__ import annotations

import click

from driftline.deploy.cli.asking import How, answer, asking_options


@click.command("deny")
@click.argument("digest")
@asking_options()
def command(digest: str, how: How) -> int:
    """Deny the command with DIGEST, which waits or is to be reviewed; the first 8 digits are enough.

    What you deny is shown first, as it was signed, out of the verified audit. One denial ends it.
    """
    return answer("deny", digest, how)
