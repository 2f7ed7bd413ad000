"""`driftline windows`: which features drifted, when, and how sure that is."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.cli.telling import telling
from driftline.deploy.cli.values import Moment, check_span, milliseconds
from driftline.deploy.tables.errors import one_of, unknown_deployment
from driftline.schemas.errors import DriftlineError

if TYPE_CHECKING:
    from driftline.deploy.cli.windows_line import Line
    from driftline.schemas.settings import Settings
    from driftline.streams.clickhouse.reads import Held, WindowFilter

AUTO = "auto"
FIGURES_MAX: Final = 500_000
"""Figures that are shown at once: they are held in memory, some 3 kB each; a year of days of 30 columns is 130,000."""
RESOLUTIONS = (AUTO, "5m", "1h", "1d", "7d", "1M")
# What a row of the view `figures` and a line call by the same name.
SAME = ("deployment", "model_version", "slot", "resolution", "kind", "feature", "metric", "value", "verdict",
        "reason", "rows", "reference_rows", "final", "restated", "window_rows", "low", "high", "interval", "segment",
        "labels", "coverage", "provisional")  # fmt: skip


class NoWindowsError(DriftlineError):
    """Nothing is there that matches what was asked; the sentence names what is."""


@click.command()
@click.argument("deployment")
@click.option(
    "--resolution",
    type=click.Choice(RESOLUTIONS),
    default=AUTO,
    show_default=True,
    help="Width of the windows; auto is the narrowest at which 80 % of them have rows enough for a verdict.",
)
@click.option("--version", "model_version", metavar="V", help="Only this version of the model.")
@click.option("--feature", metavar="F", help="Only this feature or score; shows its ok windows one by one.")
@click.option("--since", type=Moment(), metavar="T", help="Windows from this UTC time on.")
@click.option("--until", type=Moment(), metavar="T", help="Windows before this UTC time.")
@click.option(
    "--exact",
    is_flag=True,
    help="Also AUC, average precision and losses of closed windows from their joined rows in the archive.",
)
@click.option(
    "--run", metavar="NAME", default="live", show_default=True, help="Windows of a replay, by its name."
)
@json_option
def command(
    *,
    deployment: str,
    resolution: str,
    model_version: str | None,
    feature: str | None,
    since: datetime | None,
    until: datetime | None,
    exact: bool,
    run: str,
    as_json: bool,
) -> None:
    """Show which features of DEPLOYMENT drifted, when and how sure that is.

    A verdict is FAIL or WARN only when a shift is larger than chance, than the effect floor and than the
    reference's own variation; "inconclusive" and "no data" are no verdict, and never mean ok.
    """
    from driftline.deploy.cli.windows_exact import exact_lines
    from driftline.deploy.cli.windows_table import render, show
    from driftline.deploy.local.discover import settings_here
    from driftline.streams.clickhouse.reads import WindowFilter

    check_span(since, until)
    settings = settings_here(os.environ, Path.cwd())
    wanted = WindowFilter(
        resolution=None if resolution == AUTO else resolution,
        model_version=model_version,
        feature=feature,
        since_ms=milliseconds(since),
        until_ms=milliseconds(until),
        run=run,
    )
    with telling("reading windows"):
        lines = read(settings, deployment, wanted)
        if exact:
            lines += exact_lines(settings, lines)
    if as_json:
        for line in lines:
            print_json(line.as_json())
    else:
        show(render(lines, unfold=feature is not None))


def read(settings: Settings, deployment: str, wanted: WindowFilter) -> list[Line]:
    """Read the figures of a deployment; a filter without a resolution takes the one that `auto` means.

    Raises:
        NoWindowsError: the deployment, or what was asked of it, is not there, or more is than can be shown.
    """
    from dataclasses import replace

    from driftline.streams.clickhouse import reads
    from driftline.streams.stats.verdict import Rule

    known = reads.deployments(settings)
    if deployment not in known:
        raise NoWindowsError(unknown_deployment(deployment, known))
    everything = replace(wanted, feature=None, model_version=None, since_ms=None, until_ms=None)
    if wanted.resolution is None:
        name = reads.auto_resolution(settings, deployment, everything, Rule().minimum_rows)
        if name is None and wanted.run != "live":
            raise NoWindowsError(_no_run(settings, deployment, wanted.run))
        if name is None:
            raise NoWindowsError(
                f"deployment {deployment!r} has predictions but no window yet: "
                "run driftline status to see whether its drift worker runs and how far it is"
            )
        wanted, everything = replace(wanted, resolution=name), replace(everything, resolution=name)
    figures = reads.figure_total(settings, deployment, wanted)
    if not figures:
        raise NoWindowsError(_missing(deployment, wanted, reads.held(settings, deployment, everything)))
    if figures > FIGURES_MAX:
        raise NoWindowsError(
            f"deployment {deployment!r} has {figures:,} figures of {wanted.resolution} in what was asked, at most "
            f"{FIGURES_MAX:,} are shown: give --since, --until, --feature or a wider --resolution"
        )
    rows = reads.windows(settings, deployment, wanted)
    return [_line(row) for row in rows]


def _no_run(settings: Settings, deployment: str, run: str) -> str:
    """Say which replays of a deployment there are."""
    from driftline.streams.clickhouse.reads import runs

    there = ", ".join(runs(settings, deployment)) or "none"
    return f"deployment {deployment!r} has no windows of a run {run!r}: there are {there}"


def _missing(deployment: str, wanted: WindowFilter, there: Held | None) -> str:
    """Say what keeps a filter from matching, by what the resolution's windows hold without it."""
    what = f"deployment {deployment!r} has no window of {wanted.resolution}"
    if there is None:
        of_run = "" if wanted.run == "live" else f" of run {wanted.run!r}"
        return f"{what}{of_run}: leave --resolution away to see the one that it has"
    asked = (
        ("version", wanted.model_version, there.versions),
        ("feature", wanted.feature, there.features),
    )
    for option, value, names in asked:
        if value is not None and value not in names:
            return f"{what} with {option} {value!r}: {one_of(value, names)}"
    first, last = (f"{time:%Y-%m-%d %H:%M}" for time in (there.first, there.last))
    return f"{what} in what was asked: there are windows from {first} to {last} UTC"


def _line(row: dict[str, Any]) -> Line:
    from driftline.deploy.cli.windows_line import Line

    return Line(
        **{name: row[name] for name in SAME},
        **row["thresholds"],
        window_start_ms=_epoch_ms(row["window_start"]),
        window_end_ms=_epoch_ms(row["window_end"]),
    )


def _epoch_ms(time: datetime) -> int:
    """Give milliseconds since 1970; a time without a zone is UTC."""
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
