"""`driftline alerts`: which alerts fire, why and whom they concern, and saying that somebody knows of one."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final

import click

from driftline.deploy.cli.group import Group
from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.tables.errors import unknown_deployment
from driftline.schemas.errors import DriftlineError

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings

WORDS: Final = {"fail": "FAIL", "warn": "WARN"}
COLOURS: Final = {"fail": "red", "warn": "yellow"}
COMMENT_CHARS: Final = 1_000
WIDTH: Final = 80
NEAR_LIMIT: Final = 1_000
"""Alerts among which the one is looked for that was meant."""


class _Alerts(Group):
    """A group whose own argument is a deployment: it comes before the name of a command, which is empty then."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Tell `alerts ack ID` from `alerts DEPLOYMENT --open`."""
        if args and args[0] in self.commands:
            args = ["", *args]
        else:
            ctx.allow_interspersed_args = True
        return super().parse_args(ctx, args)


@click.group("alerts", cls=_Alerts, invoke_without_command=True)
@click.argument("deployment", required=False)
@click.option("--open", "is_open", is_flag=True, help="Only alerts that fire.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=200, show_default=True, help="At most so many."
)
@json_option
@click.pass_context
def command(ctx: click.Context, deployment: str | None, is_open: bool, limit: int, as_json: bool) -> None:
    """Show alerts of DEPLOYMENT, or of all: those that fire first, then those that are resolved.

    An alert is about one subject of a deployment: a feature that drifts, a metric that fell, windows that stopped.
    What fires when, and how it reaches people, stands in docs/alerts.md.
    """
    if ctx.invoked_subcommand is not None:
        return
    from driftline.streams.clickhouse.alert_reads import AlertFilter, alerts

    settings = _settings()
    rows = alerts(settings, AlertFilter(deployment or None, is_open=is_open), limit)
    if not rows and deployment:
        _check_known(settings, deployment)
    if as_json:
        for row in rows:
            print_json({name: _plain(value) for name, value in row.items()})
        return
    for row in rows:
        _show(row)
    if not rows:
        whose = f" of {deployment!r}" if deployment else ""
        click.echo(f"no alert{whose} {'fires' if is_open else 'has fired'}")
    elif len(rows) == limit:
        click.echo(f"{limit} shown: --limit shows more", err=True)


@command.command("ack")
@click.argument("alert_id")
@click.option("--comment", default="", metavar="TEXT", help="What the others should know.")
@json_option
def ack(alert_id: str, comment: str, as_json: bool) -> None:
    """Say that you know of ALERT_ID, an alert that fires; the first letters are enough.

    It goes on firing, and receivers go on hearing of it. When it fires again, or harder, nobody knows of it yet.
    """
    from driftline.deploy.local.compacted import produce
    from driftline.deploy.local.operator import operator_name
    from driftline.schemas.alert import acknowledgement
    from driftline.schemas.topics import ALERTS
    from driftline.streams.clickhouse.alert_reads import edge_of

    if len(comment) > COMMENT_CHARS:
        raise DriftlineError(
            f"the comment has {len(comment):,} characters; at most {COMMENT_CHARS:,} are allowed"
        )
    settings = _settings()
    found = firing(settings, alert_id)
    by = operator_name(settings)
    said = acknowledgement(edge_of(found), by, comment, time.time_ns() // 1_000_000)
    produce(settings.kafka, ALERTS, said.deployment.encode(), said.to_bytes())
    if as_json:
        print_json({"alert_id": said.alert_id, "edge": found["id"], "by": by, "comment": comment})
    else:
        click.echo(f"{_title(found)}: acknowledged by {by}")


def firing(settings: Settings, alert_id: str, deployment: str | None = None) -> dict[str, Any]:
    """Give the alert that an id names, or its first letters; raises DriftlineError unless one has it that fires."""
    from driftline.streams.clickhouse.alert_reads import AlertFilter, alerts

    found = alerts(settings, AlertFilter(deployment, name=alert_id), 2) if alert_id else []
    if len(found) != 1:
        of = "" if deployment is None else f" of {deployment!r}"
        what = "is the beginning of several: give more of it" if found else f"is no alert{of}"
        open_ = alerts(settings, AlertFilter(deployment, is_open=True), NEAR_LIMIT)
        near = get_close_matches(alert_id, [one["alert_id"] for one in open_], 1)
        meant = f"did you mean {near[0]}? " if near and not found else ""
        raise DriftlineError(f"{alert_id!r} {what}; {meant}'driftline alerts --open' shows those that fire")
    if found[0]["state"] != "firing":
        raise DriftlineError(f"alert {found[0]['alert_id']} is resolved: there is nothing to acknowledge")
    return found[0]


def _check_known(settings: Settings, deployment: str) -> None:
    """Refuse a deployment that nobody has heard of: that it has no alert would be good news."""
    from driftline.streams.clickhouse import reads
    from driftline.streams.clickhouse.alert_reads import alerted_deployments

    known = sorted({*alerted_deployments(settings), *reads.deployments(settings)})
    if deployment not in known:
        raise DriftlineError(unknown_deployment(deployment, known))


def _show(row: dict[str, Any]) -> None:
    fires = row["state"] == "firing"
    word = WORDS[row["severity"]] if fires else "resolved"
    colour = COLOURS[row["severity"]] if fires else "green"
    whom = " ".join(part for part in (row["owner"], f"({row['team']})" if row["team"] else "") if part)
    window = "" if row["window_start"] is None else f"window {_window(row)}, "
    told = f"{row['made_at']:%Y-%m-%d %H:%M} UTC"
    head = f"{click.style(f'{word:<8}', fg=colour)} {click.style(_title(row), bold=True)}"
    click.echo(f"{head}  P{row['priority']}  {row['alert_id']}")
    click.echo(f"  {window}told {told}{f', {whom}' if whom else ''}")
    click.echo(fill(row["reason"], WIDTH, initial_indent="  ", subsequent_indent="  "))
    if fires and row["runbook"]:
        click.echo(f"  runbook {row['runbook']}")
    if row["acknowledged_by"]:
        said = f": {row['comment']}" if row["comment"] else ""
        click.echo(f"  acknowledged by {row['acknowledged_by']}{said}")


def _title(row: dict[str, Any]) -> str:
    slot = "" if row["slot"] == "champion" else row["slot"]
    parts = (row["deployment"], row["about"], row["name"], row["segment"], slot)
    return " ".join(part for part in parts if part)


def _window(row: dict[str, Any]) -> str:
    from driftline.deploy.advice.view import span

    return span(round(row["window_start"].timestamp() * 1000), row["resolution"])


def _plain(value: object) -> object:
    return value.astimezone(UTC).isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


def _settings() -> Settings:
    from driftline.deploy.local.discover import settings_here

    return settings_here(os.environ, Path.cwd())
