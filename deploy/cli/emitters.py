"""`driftline emitters`: what every emitter says of its rows, held against what is stored."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.cli.values import FiniteRange
from driftline.deploy.tables.errors import unknown_deployment
from driftline.schemas.errors import DriftlineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.streams.archive.reconcile import Account, Life

MINUTE_MS = 60_000
WORDS = {"fail": "FAIL", "warn": "WARN", "ok": "ok"}
COLOURS = {"fail": "red", "warn": "yellow", "ok": "green"}
WORD_WIDTH = 5


class NoEmittersError(DriftlineError):
    """A deployment is not known; the sentence names those that are."""


@click.command("emitters")
@click.argument("deployment", required=False)
@click.option(
    "--ended-after",
    "ended_after_minutes",
    type=FiniteRange(0, 1e9, min_open=True),
    default=5.0,
    show_default=True,
    metavar="MINUTES",
    help="Silence after which a life counts as ended.",
)
@json_option
def command(deployment: str | None, ended_after_minutes: float, as_json: bool) -> None:
    """Hold what each emitter life says of its rows against what is stored, as far as the archive has come.

    A life is one process, or fork, of an emitter. Rows are delivered, on disk, in memory or given up with a reason;
    of a life that ended without closing, those that were announced and are nowhere were lost in a crash.
    """
    from driftline.deploy.local.discover import settings_here
    from driftline.streams.archive.emitter_books import emitter_lives, skipped_duplicates
    from driftline.streams.archive.reconcile import reconcile
    from driftline.streams.clickhouse import reads

    settings = settings_here(os.environ, Path.cwd())
    lives = emitter_lives(settings, deployment)
    if deployment is not None and not lives:
        known = reads.deployments(settings)
        if deployment not in known:
            raise NoEmittersError(unknown_deployment(deployment, known))
    skipped = skipped_duplicates(settings)
    now_ms = time.time_ns() // 1_000_000
    accounts = [(life, reconcile(life, now_ms, round(ended_after_minutes * MINUTE_MS))) for life in lives]
    if as_json:
        for life, account in accounts:
            print_json(as_object(life, account, skipped.get(life.topic, 0)))
        return
    for life, account in accounts:
        _show(life, account)
    _show_end(deployment, accounts, skipped)


def as_object(life: Life, account: Account, topic_duplicates: int) -> dict[str, object]:
    """The object of one line of `--json`: one topic of one life.

    `duplicates` are batches stored twice; `topic_duplicates` messages of all emitters that the archive left out, for it
    had them already.
    """
    return {
        "deployment": life.deployment,
        "instance": life.instance,
        "epoch": life.epoch,
        "topic": life.topic,
        "model_version": life.model_version,
        "slot": life.slot,
        "host": life.host,
        "pid": life.pid,
        "state": account.state,
        "verdict": account.verdict,
        "reasons": account.sentences,
        "enqueued": account.enqueued,
        "delivered": account.delivered,
        "stored": life.stored_rows,
        "unarrived": account.unarrived,
        "missing_batches": life.missing_batches,
        "duplicates": life.doubled_batches,
        "topic_duplicates": topic_duplicates,
        "dropped": account.dropped,
        "spooled": account.spooled,
        "in_flight": life.in_flight,
        "lost_in_crash": account.lost_in_crash,
        "clock_skew_ms": account.clock_skew_ms,
        "silent_ms": account.silent_ms,
    }


def _show(life: Life, account: Account) -> None:
    """Show one topic of a life; a topic on which nothing was ever sent has no place among people."""
    if not account.enqueued and account.verdict == "ok":
        return
    head = f"{life.deployment} {life.model_version}  {life.instance}  {life.topic}"
    click.echo(click.style(head, bold=True) + f"  {account.state}, heard {account.silent_ms // 1000:,} s ago")
    figures = {
        "enqueued": account.enqueued,
        "delivered": account.delivered,
        "stored": life.stored_rows,
        "in flight": life.in_flight,
        "spooled": account.spooled,
        "dropped": sum(account.dropped.values()),
        "missing batches": life.missing_batches,
        "lost in crash": account.lost_in_crash,
        "clock ms": account.clock_skew_ms,
    }
    always = ("enqueued", "delivered", "stored")
    shown = [f"{name} {value:,}" for name, value in figures.items() if value or name in always]
    click.echo("  " + "  ".join(shown))
    word = click.style(f"{WORDS[account.verdict]:<{WORD_WIDTH}}", fg=COLOURS[account.verdict])
    for sentence in account.sentences:
        click.echo(f"  {word} {sentence}")
        word = " " * WORD_WIDTH


def _show_end(deployment: str | None, accounts: list[tuple[Life, Any]], skipped: Mapping[str, int]) -> None:
    if not accounts:
        of_whom = "" if deployment is None else f" of deployment {deployment!r}"
        click.echo(f"no emitter{of_whom} has been heard of")
    for topic, messages in skipped.items():
        if messages:
            click.echo(f"{messages:,} messages of {topic} had come before, and were left out.")
