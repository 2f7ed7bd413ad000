"""`driftline changes`: when the error, the scores or a feature began to lie elsewhere."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.output import json_option, print_json, print_table
from driftline.deploy.cli.telling import telling
from driftline.deploy.cli.values import Moment, milliseconds

if TYPE_CHECKING:
    from driftline.schemas.window import WindowResult
    from driftline.streams.changes.tracker import Found

HEAD = ("since", "found", "what", "from", "to", "windows", "version")


@click.command()
@click.argument("deployment")
@click.option("--version", "model_version", metavar="V", help="Only this version of the model.")
@click.option(
    "--feature",
    "features",
    multiple=True,
    metavar="F",
    help="Follow this feature, again for each; default: those with an importance, else all.",
)
@click.option(
    "--resolution",
    type=click.Choice(("5m", "1h", "1d", "7d", "1M")),
    default="1d",
    show_default=True,
    help="Width of the windows.",
)
@click.option("--since", type=Moment(), metavar="T", help="Windows from this UTC time on.")
@json_option
def command(
    deployment: str,
    model_version: str | None,
    features: tuple[str, ...],
    resolution: str,
    since: datetime | None,
    as_json: bool,
) -> None:
    """Show the change points of DEPLOYMENT: the moment, as exactly as its windows tell, and the means around it.

    ADWIN runs over the final windows in the order of events: over the error where labels have come, and over the mean
    of scores and numeric features. A change needs some 20 windows before it.
    """
    from driftline.deploy.advice.changes import collect
    from driftline.deploy.local.discover import settings_here

    since_ms = milliseconds(since)
    settings = settings_here(os.environ, Path.cwd())
    with telling("looking through the windows"):
        found = collect(settings, deployment, resolution, model_version, frozenset(features), since_ms)
    if as_json:
        for window, one in found:
            print_json(_facts(window, one))
        return
    if not found:
        click.echo(f"no change in the windows of {resolution} of {deployment!r}")
    print_table(HEAD, [_cells(window, one) for window, one in found])


def _facts(window: WindowResult, found: Found) -> dict[str, Any]:
    from driftline.deploy.cli.windows_line import utc

    return {
        "deployment": window.deployment,
        "model_version": window.model_version,
        "slot": window.slot,
        "resolution": window.resolution,
        "kind": found.figure.kind,
        "feature": found.figure.feature,
        "metric": found.figure.metric,
        "since": utc(found.since_ms),
        "found": utc(found.found_ms),
        "before": found.before,
        "after": found.after,
        "value": found.figure.value,
        "windows_before": found.figure.reference_rows,
        "windows_after": found.figure.rows,
        "level": found.figure.level,
        "reason": found.figure.reason,
    }


def _cells(window: WindowResult, found: Found) -> tuple[str, ...]:
    from driftline.deploy.advice.view import span

    return (
        span(found.since_ms, window.resolution),
        span(found.found_ms, window.resolution if window.resolution != "1M" else "1d"),
        f"{found.figure.feature or 'model'} {found.figure.metric}",
        f"{found.before:.3g}",
        f"{found.after:.3g}",
        f"{found.figure.reference_rows}+{found.figure.rows}",
        window.model_version + ("" if window.slot == "champion" else f" ({window.slot})"),
    )
