"""`driftline labels`: how much of the truth has come, and labels whose predictions never did."""

from __future__ import annotations

import math
import os
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final

import click

from driftline.deploy.cli.group import Group
from driftline.deploy.cli.output import json_option, print_json, print_table
from driftline.deploy.cli.values import Moment, check_span
from driftline.deploy.tables.errors import unknown_deployment
from driftline.schemas.errors import DriftlineError

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings

DEFAULT = "show"
WIDTH: Final = 80
LONGEST_S: Final = 1 << 22
"""Where the sketch of delays ends: what took longer is infinite there (streams/windows/kernel.py)."""
_MINUTE_S = 60
_HOUR_S = 3_600
_DAY_S = 86_400


class NoLabelsError(DriftlineError):
    """A deployment has no labels; the sentence names those that have."""


class Labels(Group):
    """A group in which a word that is no command is a deployment to show."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant."""
        known = args and args[0] in self.commands
        return super().resolve_command(ctx, args if known else [DEFAULT, *args])


@click.group("labels", cls=Labels)
def command() -> None:
    """Show how much of the truth has come: `driftline labels DEPLOYMENT`; or labels without a prediction."""


@command.command(DEFAULT)
@click.argument("deployment")
@click.option(
    "--days", "day_limit", type=click.IntRange(1, 10_000), default=31, show_default=True,
    help="At most so many of the newest days, one of each model version and slot.",
)  # fmt: skip
@json_option
def show_command(deployment: str, day_limit: int, as_json: bool) -> None:
    """Count the labels of DEPLOYMENT: in force, corrected, withdrawn, without a prediction; and coverage by day."""
    from driftline.streams.clickhouse.label_reads import label_counts, labelled_days

    settings = _settings(deployment)
    counts = label_counts(settings, deployment, _now_ms())
    days = labelled_days(settings, deployment, day_limit)
    if as_json:
        print_json({"deployment": deployment, **asdict(counts), "days": [_day(day) for day in days]})
        return
    figures = asdict(counts)
    told = ", ".join(f"{name} {n:,}" for name, n in figures.items())
    click.echo(fill(f"{deployment}: {told}", WIDTH, subsequent_indent="  "))
    head = ("day", "version", "slot", "predictions", "labels", "coverage", "delay p50", "p90", "")
    print_table(head, [_row(_day(day)) for day in days])


@command.command("unmatched")
@click.argument("deployment")
@click.option("--since", type=Moment(), metavar="T", help="Known at this UTC time or later.")
@click.option("--until", type=Moment(), metavar="T", help="Known before this UTC time.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="At most so many."
)
@json_option
def unmatched_command(
    deployment: str, since: datetime | None, until: datetime | None, limit: int, as_json: bool
) -> None:
    """List labels of DEPLOYMENT whose prediction is not in the archive, oldest first.

    For a day the join waits for the prediction. Should it come later, the label is in no window until another fact
    restates that window, or a replay counts it again.
    """
    from driftline.streams.clickhouse.label_reads import label_counts, unmatched_labels

    check_span(since, until)
    settings = _settings(deployment)
    now_ms, span = _now_ms(), (since, until)
    rows = unmatched_labels(settings, deployment, now_ms, span, limit)
    for row in rows:
        if as_json:
            print_json({**row, "known_at": _utc(row["known_at"]), "arrived": _utc(row["arrived"])})
        else:
            click.echo(_line(row))
    if len(rows) == limit:
        counts = label_counts(settings, deployment, now_ms, span)
        more = counts.unmatched + counts.waiting - limit
        if more > 0:
            click.echo(f"{more:,} more: --limit shows them", err=True)
    if not rows and not as_json:
        click.echo("every label has its prediction")


def _settings(deployment: str) -> Settings:
    """Find the servers, and the deployment among those that have labels or predictions."""
    from driftline.deploy.local.discover import settings_here
    from driftline.streams.clickhouse import reads
    from driftline.streams.clickhouse.label_reads import labelled_deployments

    settings = settings_here(os.environ, Path.cwd())
    known = sorted({*labelled_deployments(settings), *reads.deployments(settings)})
    if deployment not in known:
        raise NoLabelsError(unknown_deployment(deployment, known))
    return settings


def _day(day: dict[str, Any]) -> dict[str, Any]:
    coverage = day["labels"] / day["predictions"] if day["predictions"] else None
    return {**day, "day": f"{day['day']:%Y-%m-%d}", "coverage": coverage}


def _row(day: dict[str, Any]) -> tuple[str, ...]:
    coverage = "" if day["coverage"] is None else f"{100 * day['coverage']:.1f}%"
    delays = ("" if day[name] is None else span(day[name]) for name in ("delay_p50_s", "delay_p90_s"))
    counts = (f"{day['predictions']:,}", f"{day['labels']:,}")
    return (
        day["day"],
        day["model_version"],
        day["slot"],
        *counts,
        coverage,
        *delays,
        "provisional" * day["provisional"],
    )


def _line(row: dict[str, Any]) -> str:
    name = row["id"] if row["original_id"] is None else f"{row['original_id']} ({row['id']})"
    value = f"{row['value']:g}" if isinstance(row["value"], float) else repr(row["value"])
    return f"{_utc(row['known_at'])}  {name}  {value}  {row['state']} for {span(row['waited_s'])}"


def span(seconds: float) -> str:
    """Write a length of time in the unit that fits it.

    >>> [span(90), span(7_200), span(200_000), span(float("inf"))]
    ['1.5 min', '2.0 h', '2.3 d', 'over 48 d']
    """
    if math.isinf(seconds):
        return f"over {LONGEST_S // _DAY_S} d"
    if seconds < _MINUTE_S:
        return f"{seconds:.0f} s"
    for limit, unit, size in ((_HOUR_S, "min", _MINUTE_S), (_DAY_S, "h", _HOUR_S)):
        if seconds < limit:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds / _DAY_S:.1f} d"


def _utc(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}Z"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
