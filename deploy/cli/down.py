"""`driftline down`: stop the local stack."""

from __future__ import annotations

import os
from pathlib import Path

import click

from driftline.deploy.cli.output import json_option, print_json


@click.command("down")
@click.option("--data-dir", type=click.Path(), help="Where the stack's data lie [.driftline].")
@json_option
def command(data_dir: str | None, as_json: bool) -> None:
    """Stop the local stack, cleanly and in order: workers, Kafka, ClickHouse. Data stay."""
    from driftline.deploy.local.datadir import DataDirectory
    from driftline.deploy.local.discover import data_directory, load_here
    from driftline.deploy.local.stopping import stop_stack

    cwd = Path.cwd()
    directory = (
        DataDirectory(Path(data_dir).absolute())
        if data_dir
        else data_directory(load_here(os.environ, cwd), cwd)
    )
    stopped = stop_stack(directory, lambda text: click.echo(f"driftline: {text}", err=True))
    if as_json:
        print_json({"data_dir": str(directory.root), "was_running": stopped})
        return
    click.echo("the stack is stopped" if stopped else f"no stack runs in {str(directory.root)!r}")
