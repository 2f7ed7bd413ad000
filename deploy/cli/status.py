"""`driftline status`: what runs, how far behind it is, and what is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.deploy.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from driftline.deploy.local.report import ComponentReport, StatusReport

_MINUTE_SECONDS = 60
_HOUR_SECONDS = 3600


@click.command("status")
@click.option("--data-dir", type=click.Path(), help="Where the stack's data lie [.driftline].")
@json_option
def command(data_dir: str | None, as_json: bool) -> int:
    """Show components, ports, uptime, restarts, lag by role and partition, rows in ClickHouse and late ones.

    Late rows came after their windows had closed: they are stored, and await restatement.

    Exits with 1 when something that should run is down, and says what on stderr; with --json, the first of it.
    """
    from driftline.deploy.local.discover import data_directory, settings_here
    from driftline.deploy.local.report import observe

    cwd = Path.cwd()
    env = {**os.environ, **({"DRIFTLINE_LOCAL_DATA_DIR": data_dir} if data_dir else {})}
    settings = settings_here(env, cwd, required=False)
    report = observe(settings, data_directory(settings, cwd))
    if as_json:
        print_json(report)
        if report.problems:
            count = len(report.problems)
            which = f" (problem 1 of {count})" if count > 1 else ""
            click.echo(f"driftline: {report.problems[0]}{which}", err=True)
    else:
        _show(report)
    return 0 if report.ok else 1


def _show(report: StatusReport) -> None:
    if report.uptime_seconds is not None:
        click.echo(
            f"stack in {report.data_dir}, pid {report.supervisor_pid}, up {_span(report.uptime_seconds)}"
        )
    print_table(
        ("component", "state", "pid", "ports", "up", "restarts"), [_row(part) for part in report.components]
    )
    behind = [each for each in report.lag if each.lag]
    print_table(
        ("role", "topic", "partition", "lag"),
        [(each.role, each.topic, str(each.partition), f"{each.lag:,}") for each in behind],
    )
    if report.lag:
        rest = (
            f"{len(report.lag) - len(behind)} of {len(report.lag)} partitions that workers read have no lag"
        )
        click.echo(f"{rest}\n")
    print_table(("table", "rows"), [(name, f"{rows:,}") for name, rows in report.rows.items()])
    late = [(each.deployment, each.model_version, each.slot, f"{each.rows:,}") for each in report.late]
    print_table(("deployment", "version", "slot", "rows that came too late, and await restatement"), late)
    for problem in report.problems:
        click.echo(click.style(f"driftline: {problem}", fg="red"), err=True)


def _row(part: ComponentReport) -> tuple[str, ...]:
    place = part.address if part.phase == "outside" else " ".join(map(str, part.ports))
    up = "" if part.uptime_seconds is None else _span(part.uptime_seconds)
    return part.name, part.phase, str(part.pid or ""), place, up, str(part.restarts)


def _span(seconds: float) -> str:
    if seconds < _MINUTE_SECONDS:
        return f"{seconds:.0f} s"
    if seconds < _HOUR_SECONDS:
        return f"{seconds / _MINUTE_SECONDS:.0f} min"
    return f"{seconds / _HOUR_SECONDS:.1f} h"
