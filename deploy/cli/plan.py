"""`driftline plan`: what machines, partitions and disks a load needs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from driftline.deploy.cli.output import json_option, print_json, print_table
from driftline.deploy.cli.values import FiniteRange

if TYPE_CHECKING:
    from driftline.deploy.plan.reckon import Load, Plan


@click.command("plan")
@click.option(
    "--events", type=FiniteRange(0.001, 1e9), required=True, metavar="N",
    help="Predictions a second of all deployments together, on average.",
)  # fmt: skip
@click.option(
    "--features", type=click.IntRange(1, 10_000), default=25, show_default=True, metavar="N",
    help="Features of a prediction.",
)  # fmt: skip
@click.option(
    "--deployments", type=click.IntRange(1, 1_000_000), default=1, show_default=True, metavar="N",
    help="How many deployments there are.",
)  # fmt: skip
@click.option(
    "--labels", type=FiniteRange(0, 1), default=1.0, show_default=True, metavar="SHARE",
    help="Share of predictions that get a label, 0 to 1.",
)  # fmt: skip
@click.option(
    "--label-hours", type=FiniteRange(0, 1e5), default=24.0, show_default=True, metavar="N",
    help="How long after a prediction its label comes.",
)  # fmt: skip
@click.option(
    "--days", type=click.IntRange(1, 36_500), metavar="N",
    help="How long predictions and labels stay in ClickHouse; default: archive.retention_days.",
)  # fmt: skip
@click.option(
    "--peak", type=FiniteRange(1, 1_000), default=3.0, show_default=True, metavar="N",
    help="The busiest hour, as a multiple of the average.",
)  # fmt: skip
@click.option(
    "--replicas", type=click.IntRange(1, 15), default=3, show_default=True, metavar="N",
    help="Copies of a partition in Kafka.",
)  # fmt: skip
@json_option
def command(
    *, events: float, features: int, deployments: int, labels: float, label_hours: float, days: int | None, peak: float,
    replicas: int, as_json: bool,
) -> None:  # fmt: skip
    """Say how many partitions, workers, cores, memory and disk a load needs, and on which assumptions.

    It reckons with what a million events cost when they were measured (docs/benchmarks.md), and with the settings
    here: archive.*_days, worker.publish_seconds, worker.state_bytes. Nothing is asked and nothing is changed.
    """
    from driftline.deploy.plan.reckon import Load, reckon
    from driftline.schemas.settings import load

    settings = load(os.environ)
    asked = Load(
        events=events,
        features=features,
        deployments=deployments,
        labels=labels,
        days=settings.archive.retention_days if days is None else days,
        lineage_days=settings.archive.lineage_retention_days,
        peak=peak,
        replicas=replicas,
        publish_s=settings.worker.publish_seconds,
        label_hours=label_hours,
    )
    found = reckon(asked, settings)
    if as_json:
        from driftline.deploy.plan.words import assumptions

        print_json({"load": asked, "plan": found, "assumptions": assumptions(asked, found)})
        return
    _show(asked, found)


def _show(load: Load, plan: Plan) -> None:
    from textwrap import fill

    from driftline.deploy.plan.words import WIDTH, assumptions, machines, title

    click.echo(fill(title(load), WIDTH))
    click.echo()
    print_table(("part", "how many", "cores", "memory", "disk", "MB/s"), machines(load, plan))
    print_table(("disk holds", "GB"), [(name, f"{size:,.1f}") for name, size in plan.disks.items()])
    for warning in plan.warnings:
        click.echo(click.style(fill(f"Note: {warning}.", WIDTH, subsequent_indent="  "), fg="yellow"))
    click.echo("It assumes:")
    for line in assumptions(load, plan):
        click.echo(fill(line, WIDTH, initial_indent="  - ", subsequent_indent="    "))
