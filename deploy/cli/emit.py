"""`driftline emit`: send the rows of a table as predictions, and wait until they are stored and counted."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.cli.values import FiniteRange

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from driftline.deploy.tables.arrival import Arrival
    from driftline.deploy.tables.plan import Planned
    from driftline.deploy.tables.send import Sent
    from driftline.schemas.profile import Profile
    from driftline.schemas.settings import Settings


LATE = "rows came too late: their windows had closed; they are stored, and await restatement"


@click.command("emit")
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--deployment", metavar="D", required=True, help="Name of the deployment.")
@click.option("--version", "version", metavar="V", required=True, help="Version of the model.")
@click.option(
    "--rate", type=FiniteRange(0.001, 1e9), metavar="R", help="Rows a second at most, 0.001 and more."
)
@click.option("--columns", "mapping", metavar="FILE", type=click.Path(path_type=Path), help="A mapping.toml.")
@click.option(
    "--without-profile", is_flag=True, help="Send although no profile is published for the version."
)
@click.option("--wait/--no-wait", default=True, help="Wait until the rows are stored and counted [wait].")
@click.option(
    "--seconds", type=FiniteRange(0, 1e6), default=90.0, show_default=True, help="How long to wait."
)
@json_option
def command(
    *,
    table: Path,
    deployment: str,
    version: str,
    rate: float | None,
    mapping: Path | None,
    without_profile: bool,
    wait: bool,
    seconds: float,
    as_json: bool,
) -> int:
    """Send the rows of TABLE (parquet, CSV or Arrow) as predictions, in the order of their time.

    They go through the same Emitter that an application uses. The published profile says what each column is and
    which holds the times; without one a table that has no timestamp happens now. Exits with 1 when a row was
    dropped, or is still on its way at the end. When Kafka acknowledges nothing for 30 s the rest is not sent.
    """
    from rich.console import Console

    from driftline.deploy.local.discover import settings_here
    from driftline.deploy.tables.arrival import late_so_far, look
    from driftline.deploy.tables.plan import plan_table
    from driftline.deploy.tables.progress import bar
    from driftline.deploy.tables.send import send
    from driftline.deploy.tables.show import plan_view

    settings = settings_here(os.environ, Path.cwd())
    console = Console(stderr=as_json)
    profile = _profile(settings, deployment, version, without_profile)
    planned = plan_table(table, mapping, profile)
    if profile is None:
        console.print(
            plan_view(planned.plan, f"{table.name}: {planned.rows:,} rows, {planned.source.format}")
        )
    late_before = late_so_far(settings, deployment, version) if wait else 0
    with bar(Console(stderr=True), f"sending {table.name}", planned.rows) as told:
        sender = settings_here(os.environ, Path.cwd(), role="emitter")
        sent = send(sender, planned, deployment, version, profile=profile, rate=rate, told=told)
    arrival = None
    if wait and not sent.stalled:
        resolutions = ("5m", "1h", "1d") if profile is None else profile.resolutions
        book = sent.stats
        ask = partial(
            look, settings, deployment, version, book.instance, book.delivered, resolutions, late_before
        )
        arrival = _wait(ask, seconds)
    if as_json:
        print_json(_facts(deployment, version, planned, sent, arrival))
    else:
        _show(console, deployment, version, planned, sent, arrival)
    return _verdict(planned.rows, sent, arrival)


def _profile(settings: Settings, deployment: str, version: str, may_miss: bool) -> Profile | None:
    from driftline.deploy.tables.shelf import NoProfileError, published, published_profile

    if may_miss:
        return published(settings).get((deployment, version))
    try:
        return published_profile(settings, deployment, version)
    except NoProfileError as error:
        raise NoProfileError(
            f"{error} (--without-profile sends all the same, and counts rows, latency and status alone)"
        ) from error


def _wait(ask: Callable[[], Arrival], seconds: float) -> Arrival:
    from rich.console import Console

    from driftline.deploy.tables.arrival import wait

    with Console(stderr=True).status("waiting until the rows are stored and counted") as status:
        return wait(ask, seconds, lambda arrival: status.update(f"waiting: {arrival.on_the_way() or 'done'}"))


def _show(
    console: Console, deployment: str, version: str, planned: Planned, sent: Sent, arrival: Arrival | None
) -> None:
    from rich.table import Table
    from rich.text import Text

    view = Table(box=None, pad_edge=False, show_header=False)
    view.add_column(justify="right")
    view.add_column()
    book = sent.stats
    view.add_row(
        f"{planned.rows:,}", f"rows in the table, {sent.rows:,} given to the emitter in {sent.seconds:.1f} s"
    )
    timestamp = planned.plan.one("timestamp")
    view.add_row(
        "", Text("as of now" if timestamp is None else f"with the times of column {timestamp.name!r}")
    )
    view.add_row(f"{book.delivered:,}", "delivered to Kafka")
    for reason, count in sorted(book.dropped.items()):
        view.add_row(f"{count:,}", f"dropped: {reason}", style="red")
    if book.spooled or book.in_flight:
        view.add_row(f"{book.spooled + book.in_flight:,}", "not acknowledged", style="red")
    if arrival is not None:
        view.add_row(f"{arrival.stored:,}", "of them in ClickHouse")
        for name, counted in arrival.counted.items():
            view.add_row(f"{counted:,}", f"rows of {deployment} {version} in {name} windows")
        if arrival.came_late:
            view.add_row(f"{arrival.came_late:,}", LATE, style="yellow")
    console.print(view)
    if arrival is not None and arrival.is_complete:
        console.print(f"Next: driftline windows {deployment}", highlight=False)


def _facts(
    deployment: str, version: str, planned: Planned, sent: Sent, arrival: Arrival | None
) -> dict[str, Any]:
    timestamp = planned.plan.one("timestamp")
    facts: dict[str, Any] = {
        "deployment": deployment,
        "model_version": version,
        "instance": sent.stats.instance,
        "timestamp": None if timestamp is None else timestamp.name,
        "rows": sent.rows,
        "emitter": sent.stats.ledger(),
        "seconds": round(sent.seconds, 3),
    }
    if arrival is not None:
        facts |= {
            "stored": arrival.stored,
            "counted": arrival.counted,
            "late": arrival.came_late,
            "complete": arrival.is_complete,
        }
    return facts


def _verdict(rows: int, sent: Sent, arrival: Arrival | None) -> int:
    """Say on stderr what keeps the rows from having arrived, and give the exit code."""
    if sent.stalled:
        click.echo(
            f"driftline: Kafka acknowledged nothing any more and was given up, with {sent.stats.delivered:,} of "
            f"{rows:,} rows delivered: see 'driftline status', then send the rest; a row that is sent twice counts "
            "twice",
            err=True,
        )
        return 1
    if not sent.is_delivered or sent.rows < rows:
        lost = rows - sent.stats.delivered
        click.echo(
            f"driftline: {lost:,} of {rows:,} rows were not delivered; the books above say why", err=True
        )
        return 1
    if arrival is not None and not arrival.is_complete:
        click.echo(
            f"driftline: every row is in Kafka, but {arrival.on_the_way()}: see 'driftline status'", err=True
        )
        return 1
    return 0
