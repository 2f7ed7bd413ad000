"""`driftline compare-versions`: two versions side by side, performance on the same rows."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.deploy.cli.output import json_option, print_json, print_table
from driftline.deploy.cli.values import Moment, check_span, milliseconds

if TYPE_CHECKING:
    from driftline.deploy.advice.versions import SideBySide

SHOWN = 10


@click.command("compare-versions")
@click.argument("deployment")
@click.argument("first", metavar="V1")
@click.argument("second", metavar="V2")
@click.option(
    "--resolution",
    type=click.Choice(("5m", "1h", "1d", "7d", "1M")),
    default="1d",
    show_default=True,
    help="Width of the windows whose drift is told.",
)
@click.option("--since", type=Moment(), metavar="T", help="Events from this UTC time on.")
@click.option("--until", type=Moment(), metavar="T", help="Events before this UTC time.")
@json_option
def command(
    deployment: str,
    first: str,
    second: str,
    resolution: str,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> None:
    """Put versions V1 and V2 of DEPLOYMENT side by side: drift, performance, errors and latency.

    Performance is of the labelled predictions that both answered, as a challenger, shadow or canary does beside the
    champion; the interval of the difference is over days, and above 0 V2 is better. Each is taken in the slot in which
    the two answered the most rows in common, which is named.
    """
    from driftline.deploy.advice.versions import facts, side_by_side
    from driftline.deploy.local.discover import settings_here
    from driftline.streams.clickhouse.version_reads import Span

    check_span(since, until)
    span = Span(milliseconds(since), milliseconds(until))
    found = side_by_side(settings_here(os.environ, Path.cwd()), deployment, (first, second), span, resolution)
    if as_json:
        print_json(facts(found))
    else:
        _show(found)


def _show(found: SideBySide) -> None:
    one, two = found.answered
    head = ("", *(f"{each.version} ({each.slot})" for each in (one, two)))
    rows = [
        ("predictions", *(f"{each.rows:,}" for each in (one, two))),
        ("errors", *(f"{each.errors / each.rows:.2%}" for each in (one, two))),
    ]
    for at, name in enumerate(("p50", "p95", "p99")):
        cells = ["-" if each.latency_ms is None else f"{each.latency_ms[at]:.3g} ms" for each in (one, two)]
        rows.append((f"latency {name}", *cells))
    print_table(head, rows)
    if found.why:
        click.echo(f"performance: none, for {found.why}")
    else:
        click.echo(f"performance on {found.pairs:,} labelled predictions that both answered")
        print_table(
            ("", one.version, two.version, f"{two.version} is better by", "days"),
            [
                (
                    each.metric,
                    *("-" if value is None else f"{value:.4g}" for value in each.values),
                    f"{each.gain.value:+.4g}" + _interval(each.gain.low, each.gain.high),
                    str(each.gain.days),
                )
                for each in found.performance
            ],
        )
    _show_drift(found)


def _show_drift(found: SideBySide) -> None:
    held = [{(one.feature, one.metric): one for one in part} for part in found.drift]
    order = list(dict.fromkeys(key for part in held for key in part))
    if not order:
        click.echo("drift: no final window with a verdict")
        return
    click.echo("drift, the mean of final windows and how many of them fail")
    cells = []
    for key in order[:SHOWN]:
        told = [part.get(key) for part in held]
        cells.append(
            (
                f"{key[0] or 'model'} {key[1]}",
                *("-" if one is None else f"{one.mean:.3g}, {one.fails} of {one.windows}" for one in told),
            )
        )
    print_table(("", *(one.version for one in found.answered)), cells)
    if len(order) > SHOWN:
        click.echo(f"and {len(order) - SHOWN} more figures, all of them with --json")


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" [{low:+.4g}, {high:+.4g}]"
