"""`driftline health`: how often a deployment is asked, how its answers go, and whether it has fallen quiet."""

from __future__ import annotations

import os
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final

import click

from driftline.deploy.cli.labels import span
from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.cli.values import FiniteRange, Moment
from driftline.deploy.cli.windows_health import figures_text
from driftline.deploy.cli.windows_line import utc
from driftline.deploy.tables.errors import unknown_deployment
from driftline.schemas.errors import DriftlineError

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings
    from driftline.streams.archive.reconcile import Account, Life
    from driftline.streams.stats.quiet import Quiet

HOUR_MS: Final = 3_600_000
WIDTH: Final = 80
OK: Final = "ok"
WORDS: Final = {"fail": "FAIL", "warn": "WARN", "inconclusive": "inconclusive", "ok": "ok"}
COLOURS: Final = {"fail": "red", "warn": "yellow", "inconclusive": "cyan", "ok": "green"}


class NoHealthError(DriftlineError):
    """A deployment is not known; the sentence names those that are."""


@click.command("health")
@click.argument("deployment", required=False)
@click.option("--at", type=Moment(), metavar="T", help="As of this UTC time, instead of now.")
@click.option(
    "--hours", type=FiniteRange(0.01, 8_784), default=1.0, show_default=True,
    help="Hours of event time before it that rate, errors and latency are of.",
)  # fmt: skip
@json_option
def command(deployment: str | None, at: datetime | None, hours: float, as_json: bool) -> None:
    """Show rate, errors, latency by model version and agent, and whether DEPLOYMENT, or any, is quieter than its past.

    The last hour is held against the same hour of up to eight past weeks. While events are not in the archive yet there
    is no verdict.
    """
    from driftline.deploy.local.discover import settings_here
    from driftline.streams.clickhouse import reads

    settings = settings_here(os.environ, Path.cwd())
    known = reads.deployments(settings)
    if deployment is not None and deployment not in known:
        raise NoHealthError(unknown_deployment(deployment, known))
    now_ms = time.time_ns() // 1_000_000
    at_ms = now_ms if at is None else round(at.replace(tzinfo=UTC).timestamp() * 1000)
    behind = _behind(settings)
    for name in known if deployment is None else [deployment]:
        found = health_of(settings, name, at_ms, round(hours * HOUR_MS), behind, now_ms)
        if as_json:
            print_json(found)
        else:
            _show(found)
    if not known and not as_json:
        click.echo("no deployment has sent a prediction yet")


def health_of(
    settings: Settings, deployment: str, at_ms: int, width_ms: int, behind: dict[int, int] | str, now_ms: int
) -> dict[str, Any]:
    """Give the object of one line of `--json`.

    Args:
        settings: where ClickHouse is.
        deployment: its name.
        at_ms: as of when, ms since 1970.
        width_ms: event time before it that services are told of.
        behind: by partition the records of `predictions` that are not archived yet, or why that is not known.
        now_ms: time now, for the emitters' books.
    """
    from driftline.schemas.partition import partition_of
    from driftline.streams.archive.emitter_books import emitter_lives
    from driftline.streams.archive.reconcile import reconcile
    from driftline.streams.clickhouse import health_reads

    reached = health_reads.reached(settings, deployment)
    hour = health_reads.hours(settings, deployment, at_ms)
    partition = partition_of(deployment.encode(), settings.kafka.partitions)
    rows = health_reads.services(settings, deployment, at_ms - width_ms, at_ms)
    lives = [(life, reconcile(life, now_ms)) for life in emitter_lives(settings, deployment)]
    event_ms = reached.event_ms
    marks = {} if event_ms is None else reached.watermarks_ms
    return {
        "deployment": deployment,
        "at": utc(at_ms),
        "quiet": _judged(
            hour.past, hour.events, behind if isinstance(behind, str) else behind.get(partition, 0)
        ),
        "last_event": None if event_ms is None else utc(event_ms),
        "last_event_age_s": None if event_ms is None else (at_ms - event_ms) / 1000,
        "last_arrival": None if reached.arrived_ms is None else utc(reached.arrived_ms),
        "watermark_lag_s": {
            role: max(0, event_ms - mark) / 1000 for role, mark in marks.items() if event_ms is not None
        },
        "hours": width_ms / HOUR_MS,
        "services": [_service(row, width_ms) for row in rows],
        "emitters": _emitters(lives),
    }


def _judged(past: list[int], count: int, behind: int | str) -> dict[str, Any]:
    """Judge the last hour; what the archive lacks may be the very events that seem to be missing."""
    from driftline.streams.stats.quiet import quiet

    found: Quiet = quiet(past, count)
    if behind:
        why = (
            behind
            if isinstance(behind, str)
            else f"The archive lacks the last {behind:,} records of predictions."
        )
        found = found._replace(verdict="inconclusive", reason=why)
    return {"events": count, "past": past, **{k: v for k, v in found._asdict().items() if k != "value"}}


def _behind(settings: Settings) -> dict[int, int] | str:
    """Hold the ends of the log against what is stored of it."""
    from driftline.deploy.local.kafka_topics import admin_client
    from driftline.deploy.local.lag import lags
    from driftline.streams.clickhouse import reads

    stored = reads.positions(settings, "predictions")
    name = settings.kafka.topic_prefix + "predictions"
    try:
        ends = {
            one.partition: one.end
            for one in lags(settings, admin_client(settings), ["archive"])
            if one.topic == name
        }
    except DriftlineError as error:
        return f"Whether the archive is whole is not known: {error}"
    return {partition: max(0, end - 1 - stored.get(partition, -1)) for partition, end in ends.items()}


def _service(row: dict[str, Any], width_ms: int) -> dict[str, Any]:
    told = {name: n for name, n in sorted(row["statuses"].items()) if name}
    known, wrong = sum(told.values()), {name: n for name, n in told.items() if name != OK}
    return {
        **{name: value for name, value in row.items() if name != "statuses"},
        "rate": 1000 * row["events"] / width_ms,
        "status_known": known,
        "errors": sum(wrong.values()) / known if known else None,
        "errors_by_status": {name: n / known for name, n in wrong.items()},
    }


def _emitters(lives: list[tuple[Life, Account]]) -> dict[str, Any]:
    accounts = [account for _, account in lives]
    dropped: Counter[str] = Counter()
    for account in accounts:
        dropped.update(account.dropped)
    live = {(life.instance, life.epoch) for life, account in lives if account.state in {"alive", "silent"}}
    return {
        "lives": len({(life.instance, life.epoch) for life, _ in lives}),
        "alive": len(live),
        "lost_in_crash": sum(account.lost_in_crash for account in accounts),
        "dropped": dict(dropped),
        "spooled": sum(account.spooled for account in accounts),
        "unarrived": sum(account.unarrived for account in accounts),
        "missing_batches": sum(life.missing_batches for life, _ in lives),
        "doubled_batches": sum(life.doubled_batches for life, _ in lives),
        "clock_skew_ms": max((account.clock_skew_ms for account in accounts), key=abs, default=None),
    }


def _show(found: dict[str, Any]) -> None:
    judged, books = found["quiet"], found["emitters"]
    click.echo(click.style(found["deployment"], bold=True) + f"  as of {found['at']}")
    click.echo(
        f"  {click.style(WORDS[judged['verdict']], fg=COLOURS[judged['verdict']])}  {judged['reason']}"
    )
    if found["last_event"] is not None:
        lags = ", ".join(f"{role} {span(lag)} behind it" for role, lag in found["watermark_lag_s"].items())
        last = f"last event {found['last_event']}" + (f", watermark of {lags}" if lags else "")
        click.echo(fill(last, WIDTH, initial_indent="  ", subsequent_indent="    "))
    for one in found["services"]:
        who = f"    {one['agent']}" if one["agent"] else f"  version {one['model_version']} ({one['slot']})"
        figures = {
            name: one[name] for name in ("rate", "errors", "latency_p50", "latency_p95", "latency_p99")
        }
        figures |= {f"errors_{name}": share for name, share in one["errors_by_status"].items()}
        click.echo(f"{who}: {one['events']:,} events, {figures_text(figures)}")
    told = {
        name: n
        for name, n in books.items()
        if name not in {"dropped", "lives", "alive", "clock_skew_ms"} and n
    }
    told |= {f"dropped {reason}": n for reason, n in books["dropped"].items() if n}
    losses = ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in told.items())
    click.echo(f"  emitters: {books['alive']} of {books['lives']} alive" + (f", {losses}" if losses else ""))
