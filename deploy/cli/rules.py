"""`driftline rules`: what Prometheus watches and whom Alertmanager tells, as files."""

from __future__ import annotations

from pathlib import Path

import click

from driftline.deploy.cli.output import json_option, print_json


@click.group("rules")
def command() -> None:
    """Write rules for Prometheus, built from the one list of alerts."""


@command.command("build")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--runbooks", metavar="URL", help="Where the pages of docs/runbooks/ are served.")
@click.option(
    "--available", type=float, metavar="PERCENT", help="Requests that are answered without a 5xx [99.9]."
)
@click.option("--quick", type=float, metavar="PERCENT", help="Requests that are answered in time [99].")
@click.option(
    "--quick-ms", type=float, metavar="MS", help="What is in time, a bound of the agents' histogram [100]."
)
@click.option(
    "--most-hold", type=click.IntRange(0), metavar="SECONDS", help="Hold no alert longer before it fires."
)
@click.option("--kubernetes", is_flag=True, help="One PrometheusRule, for the Prometheus operator.")
@json_option
def build(
    directory: Path,
    runbooks: str | None,
    available: float | None,
    quick: float | None,
    quick_ms: float | None,
    most_hold: int | None,
    kubernetes: bool,
    as_json: bool,
) -> None:
    """Write one file a group of rules into DIRECTORY, for Prometheus to load.

    What each alert means and what to do is a page of docs/runbooks/, which the alert links to.
    """
    from driftline.deploy.rules.build import OBJECT, Wishes, rule_files, rule_object
    from driftline.deploy.rules.objective import Objective
    from driftline.schemas.runbooks import RUNBOOKS

    given = {"available": available, "quick": quick, "quick_s": None if quick_ms is None else quick_ms / 1000}
    objective = Objective(**{name: value for name, value in given.items() if value is not None})
    written = []
    directory.mkdir(parents=True, exist_ok=True)
    wishes = Wishes(runbooks or RUNBOOKS, objective, most_hold)
    for name, text in ({OBJECT: rule_object(wishes)} if kubernetes else rule_files(wishes)).items():
        (directory / name).write_text(text, encoding="utf-8")
        written.append(
            {
                "file": str(directory / name),
                "alerts": text.count("- alert:"),
                "records": text.count("- record:"),
            }
        )
    if as_json:
        print_json({"rules": written})
        return
    for one in written:
        click.echo(f"{one['file']}: {one['alerts']} alerts, {one['records']} recorded series")


@command.command("routes")
@click.argument("teams", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def routes(teams: Path, file: Path, as_json: bool) -> None:
    """Write Alertmanager's FILE from the TOML file TEAMS: whom each alert reaches, by team and importance.

    It serves the rules of Prometheus and driftline's own alerts of deployments.
    """
    from driftline.deploy.rules.routes import routes_file
    from driftline.deploy.rules.teams import read_teams

    told = read_teams(teams)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(routes_file(told), encoding="utf-8")
    if as_json:
        print_json({"file": str(file), "teams": sorted(told.teams)})
        return
    click.echo(f"{file}: the platform's receivers, and those of {len(told.teams)} teams")
