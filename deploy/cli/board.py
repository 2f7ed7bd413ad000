"""`driftline board`: serve the dashboards as a page."""

from __future__ import annotations

import os
from pathlib import Path

import click

from driftline.deploy.cli.output import log_to_stderr


@click.command("board")
@click.option("--host", metavar="ADDRESS", help="Over the setting board.host.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="Over the setting board.port; 0 takes a free one."
)
def command(host: str | None, port: int | None) -> int:
    """Serve the board until told to stop (SIGTERM or Ctrl-C), and print its address.

    It asks ClickHouse as a user that may only read driftline's tables. `driftline up` serves one beside the local
    stack; elsewhere board.clickhouse_user and board.clickhouse_password_file name that user.
    """
    import msgspec

    from driftline.deploy.board.web.start import run
    from driftline.deploy.local.board import BOARD, with_access
    from driftline.deploy.local.discover import data_directory, settings_here

    log_to_stderr()
    settings = settings_here(os.environ, Path.cwd(), role=BOARD)
    settings = with_access(settings, data_directory(settings, Path.cwd()))
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = msgspec.structs.replace(settings, board=msgspec.structs.replace(settings.board, **given))
    return run(settings, lambda address: click.echo(f"the board is at {address}"))
