"""`driftline demo`: a real year of flights through the whole road, what drifted in it, and what came of that."""

from __future__ import annotations

import os
from pathlib import Path

import click

from driftline.deploy.cli.output import json_option, print_json

FOLDER = "demo"


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave the stack up at the end.")
@click.option("--secure", is_flag=True, help="With TLS, and a user and ACLs for everybody.")
@json_option
def command(*, keep: bool, secure: bool, as_json: bool) -> None:
    """Replay the flights of 2013 through a real Kafka, the stream workers and a real ClickHouse.

    A model is trained on January and February; the year is then sent through the Emitter in event time, with
    what became of each flight once it had landed. Month by month it is read back what drifted, how the model
    did, for which airlines, and whether to retrain; alerts go to a receiver on this machine, and to an
    Alertmanager where one is installed. Then the model is served over HTTP and changed under control: retrained
    as the advice on July says, tried as a shadow and a canary, promoted by two people; a bad version is taken
    back by itself, and the audit of all that is verified. Everything runs here, in .driftline/demo/, and ends by
    itself. Exits with 1 when emitted, delivered and stored events are not the same number, an alert was not
    told, a request failed, or the audit does not hold.
    """
    from rich.console import Console

    from driftline.deploy.demo.report import show
    from driftline.deploy.demo.run import check, run_demo
    from driftline.deploy.local.discover import data_directory, load_here

    cwd = Path.cwd()
    folder = data_directory(load_here(os.environ, cwd), cwd).root / FOLDER
    summary = run_demo(folder, keep=keep, console=Console(stderr=as_json), secure=secure)
    if as_json:
        print_json(summary)
    else:
        shown = folder.relative_to(cwd) if folder.is_relative_to(cwd) else folder
        console = Console()
        console.print()
        show(console, summary, keep=keep, folder=str(shown))
    check(summary)
