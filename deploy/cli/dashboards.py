"""`driftline dashboards`: what Grafana shows, as files."""

from __future__ import annotations

from pathlib import Path

import click

from driftline.deploy.cli.group import Group
from driftline.deploy.cli.output import json_option, print_json


@click.group("dashboards", cls=Group)
def command() -> None:
    """Write the dashboards for Grafana, built from the one list of panels."""


@command.command("build")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--runbooks", metavar="URL", help="Where the pages of docs/runbooks/ are served.")
@json_option
def build(directory: Path, runbooks: str | None, as_json: bool) -> None:
    """Write one JSON a dashboard into DIRECTORY, for Grafana to provision.

    They read the data source `driftline-clickhouse` (plugin grafana-clickhouse-datasource). Each panel
    links to what it means and what to do, a section of docs/runbooks/panels/.
    """
    from driftline.deploy.board.grafana import build as build_dashboard
    from driftline.deploy.board.panels import DASHBOARDS
    from driftline.schemas.runbooks import RUNBOOKS

    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for board in DASHBOARDS:
        path = directory / f"{board.name}.json"
        path.write_text(build_dashboard(board, runbooks or RUNBOOKS), encoding="utf-8")
        written.append({"file": str(path), "title": board.title, "panels": len(board.panels)})
    if as_json:
        print_json({"dashboards": written})
        return
    for one in written:
        click.echo(f"{one['file']}: {one['title']}, {one['panels']} panels")
