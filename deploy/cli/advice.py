"""`driftline advice`: does a model need retraining, since when, and would a candidate help."""

from __future__ import annotations

import os
import time
from datetime import datetime
from pathlib import Path

import click

from driftline.deploy.cli.output import json_option, print_json, print_table
from driftline.deploy.cli.telling import telling
from driftline.deploy.cli.values import Moment, check_span, milliseconds

RESOLUTIONS = ("5m", "1h", "1d", "7d", "1M")
HEAD = ("window", "advice", "fell", "gain", "why")


@click.command()
@click.argument("deployment")
@click.option(
    "--version",
    "model_version",
    metavar="V",
    help="Version of the model; default: that of the newest window.",
)
@click.option(
    "--candidate",
    type=click.Path(path_type=Path),
    metavar="TABLE",
    help="A table of prediction ids and a candidate's scores, to hold against the live model.",
)
@click.option(
    "--columns", "mapping", metavar="FILE", type=click.Path(path_type=Path), help="A mapping.toml for TABLE."
)
@click.option(
    "--resolution",
    type=click.Choice(RESOLUTIONS),
    default="1M",
    show_default=True,
    help="Width of the windows; intervals know about days from 20 of them on, which months have.",
)
@click.option("--since", type=Moment(), metavar="T", help="Windows from this UTC time on.")
@click.option("--until", type=Moment(), metavar="T", help="Windows before this UTC time.")
@click.option(
    "--tell", "is_told", is_flag=True,
    help="Send the newest of these advices to whom the deployment names, and to 'driftline worker retrain'.",
)  # fmt: skip
@json_option
def command(
    deployment: str,
    *,
    model_version: str | None,
    candidate: Path | None,
    mapping: Path | None,
    resolution: str,
    since: datetime | None,
    until: datetime | None,
    is_told: bool,
    as_json: bool,
) -> None:
    """Say whether the model of DEPLOYMENT needs retraining: retrain, watch or no need, for each final window.

    Drift alone is never a reason: "retrain" needs performance that fell, and a candidate that is better on the same
    labelled rows, or none to compare. The candidate is a version that answers as challenger or shadow, or TABLE, whose
    scores must come from a model that has not learned from these rows.
    """
    from driftline.deploy.advice import view
    from driftline.deploy.advice.collect import Wanted, collect
    from driftline.deploy.advice.telling import tell
    from driftline.deploy.local.discover import settings_here

    check_span(since, until)
    wanted = Wanted(resolution, model_version, milliseconds(since), milliseconds(until), candidate, mapping)
    settings = settings_here(os.environ, Path.cwd())
    with telling("weighing the windows"):
        found = collect(settings, deployment, wanted)
    if is_told:
        found[-1] = tell(settings, found[-1], time.time_ns() // 1_000_000)
    if as_json:
        for one in found:
            print_json(view.as_json(one))
        return
    print_table(HEAD, view.rows(found))
    click.echo(view.in_words(found[-1]))
