"""`driftline migrate`: bring the ClickHouse tables up to date."""

from __future__ import annotations

import os
from pathlib import Path

import click

from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.cli.telling import telling


@click.command("migrate")
@click.option(
    "--topics", is_flag=True, help="Create Kafka's topics too, and set what the contract says of them."
)
@json_option
def command(*, topics: bool, as_json: bool) -> None:
    """Create or extend the ClickHouse tables, and set their retention to the settings; safe to run again.

    Stop the workers of an older release first: they write tables that are no longer there.
    """
    from driftline.deploy.local.discover import settings_here
    from driftline.schemas.access import ADMIN
    from driftline.streams.clickhouse.migrate import migrate

    settings = settings_here(os.environ, Path.cwd(), role=ADMIN)
    with telling("bringing topics and tables up to date" if topics else "bringing the tables up to date"):
        if topics:
            from driftline.deploy.local.kafka_topics import ensure_topics

            ensure_topics(settings)
        applied = migrate(settings)
    if as_json:
        print_json({"database": settings.clickhouse.database, "applied": applied})
        return
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo(f"{settings.clickhouse.database}: nothing to apply, the tables are up to date")
