"""`driftline replay`: windows counted again from the log or the archive, with other bins, widths or floors."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.cli.values import Moment
from driftline.deploy.cli.windows import RESOLUTIONS


@click.command("replay")
@click.argument("deployment")
@click.option(
    "--since",
    type=Moment(),
    metavar="T",
    required=True,
    help="Windows from this UTC time on.",
)
@click.option(
    "--until",
    type=Moment(),
    metavar="T",
    required=True,
    help="Windows that end by this UTC time.",
)
@click.option(
    "--profile",
    metavar="VERSION|FILE",
    help="The published profile of this version, or the one in this file, instead of each version's own.",
)
@click.option("--resolution", type=click.Choice(RESOLUTIONS[1:]), help="Only windows of this width.")
@click.option(
    "--floors", metavar="METRIC.warn=X,…", help="Other floors of effect, as psi.warn=0.2,psi.fail=0.4."
)
@click.option(
    "--source",
    type=click.Choice(["kafka", "archive"]),
    help="Where facts are read; without a word from Kafka while it goes back so far, else from ClickHouse.",
)
@click.option("--name", metavar="NAME", help="Name of the run; without one it is named after the time.")
@click.option("--restate", is_flag=True, help="Put closed windows in the place of the live ones.")
@json_option
def command(
    *,
    deployment: str,
    since: datetime,
    until: datetime,
    profile: str | None,
    resolution: str | None,
    floors: str | None,
    source: str | None,
    name: str | None,
    restate: bool,
    as_json: bool,
) -> None:
    """Count the windows of DEPLOYMENT that lie between two times again, beside the live ones or in their place.

    All facts are read that have come until now, late ones too. With the settings of the live run the counts are the
    same. No worker is touched and nobody is alerted. See them with: driftline windows DEPLOYMENT --run NAME
    """
    from rich.console import Console

    from driftline.deploy.cli.replay_make import Asked, check, make
    from driftline.deploy.local.discover import settings_here
    from driftline.deploy.tables.progress import bar

    now_ms = round(time.time() * 1000)
    asked = Asked(
        deployment=deployment,
        since_ms=_epoch_ms(since),
        until_ms=_epoch_ms(until),
        profile=profile,
        resolution=resolution,
        floors=floors,
        source=source,
        run=_run(name, now_ms, restate=restate),
    )
    check(asked)
    settings = settings_here(os.environ, Path.cwd(), role="replay")
    done = make(settings, asked, now_ms, lambda what, total: bar(Console(stderr=True), what, total))
    if as_json:
        print_json(done.as_json())
        return
    counted = f"{done.predictions:,} predictions and {done.labels:,} labels of {done.source}"
    click.echo(f"{done.windows:,} windows from {counted} in {done.seconds:.1f} s")
    beside = f"driftline windows {deployment}" + ("" if restate else f" --run {asked.run}")
    click.echo(f"see them, once archived, with: {beside}")


def _run(name: str | None, now_ms: int, *, restate: bool) -> str:
    if name is not None and restate:
        raise click.UsageError(
            "give --name for windows beside the live ones, or --restate for their place, not both"
        )
    if restate:
        return "live"
    if name == "live":
        raise click.UsageError("--name live is the workers' own run: choose another name, or --restate")
    return name or f"replay-{datetime.fromtimestamp(now_ms / 1000, UTC):%Y%m%dT%H%M%SZ}"


def _epoch_ms(time_: datetime) -> int:
    return round(time_.replace(tzinfo=UTC).timestamp() * 1000)
