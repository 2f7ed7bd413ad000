"""`driftline dead-letter`: what was refused and why, and sending it again once mended."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.group import Group
from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.cli.telling import telling
from driftline.deploy.cli.values import FiniteRange, Moment
from driftline.schemas.errors import DriftlineError
from driftline.schemas.refusal import REASONS

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings

# How much of the sentence a terminal line shows; --json has all of it.
DETAIL_CHARS = 100


@click.group("dead-letter", cls=Group)
def command() -> None:
    """List refused messages, or send them again once mended."""


@command.command("list")
@click.option("--topic", help="Only messages of this topic.")
@click.option(
    "--reason", type=click.Choice(REASONS), metavar="REASON",
    help=f"Only messages refused for this reason: {', '.join(REASONS)}.",
)  # fmt: skip
@click.option("--since", type=Moment(), metavar="T", help="Refused at this UTC time or later.")
@click.option(
    "--state",
    type=click.Choice(["open", "mended", "forgotten", "any"]),
    default="open",
    show_default=True,
    help="open: refused; mended: taken when it was sent again; forgotten: its message was removed.",
)
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most so many."
)
@json_option
def list_command(
    topic: str | None, reason: str | None, since: datetime | None, state: str, limit: int, as_json: bool
) -> None:
    """Show refused messages, newest first: id (topic/partition/offset), reason, what was wrong."""
    from driftline.streams.archive.office import LetterFilter, letters

    chosen = LetterFilter(topic=topic, reason=reason, since=since, state=None if state == "any" else state)
    rows = letters(_settings(), chosen, limit)
    if as_json:
        for row in rows:
            print_json({name: value for name, value in row.items() if name != "version"})
        return
    for row in rows:
        click.echo(_line(row))
    if not rows:
        click.echo("no dead letters")
    elif len(rows) == limit:
        click.echo(f"{limit} shown: --limit shows more", err=True)


@command.command("retry")
@click.option("--id", "name", metavar="TOPIC/PARTITION/OFFSET", help="Only this one.")
@click.option(
    "--reason", type=click.Choice(REASONS), metavar="REASON",
    help=f"Those refused for this reason: {', '.join(REASONS)}.",
)  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="All that are open.")
@click.option(
    "--wait", "wait_seconds", type=FiniteRange(0, 3600), default=30.0, show_default=True,
    help="Seconds to wait for the archive's answer.",
)  # fmt: skip
@json_option
def retry_command(
    name: str | None, reason: str | None, everything: bool, wait_seconds: float, as_json: bool
) -> None:
    """Send refused messages again, the same bytes to the same topic; exits with 1 unless all are taken.

    Only messages of predictions, labels and emitter-status are: those of other topics are their writers' to mend.

    One that is still bad stays the same dead letter, with one more attempt.
    """
    from driftline.streams.archive.office import LetterError, LetterFilter, retry

    if sum((name is not None, reason is not None, everything)) != 1:
        raise DriftlineError("say which to send again: one of --id, --reason or --all")
    with telling("waiting for the archive"):
        found = retry(_settings("mender"), LetterFilter(name=name, reason=reason), wait_seconds)
    if as_json:
        print_json(
            {"sent": found.sent, "mended": found.mended, "refused": found.refused, "waiting": found.waiting}
        )
    else:
        click.echo(
            f"sent {found.sent}: {found.mended} taken, {found.refused} refused again, {found.waiting} waiting"
        )
    if found.mended < found.sent:
        raise LetterError(
            f"{found.sent - found.mended} of {found.sent} dead letters were not taken: 'driftline dead-letter list' "
            "says why some were refused again; those that wait are taken once the archive runs"
        )


def _settings(role: str = "operator") -> Settings:
    from driftline.deploy.local.discover import settings_here

    return settings_here(os.environ, Path.cwd(), role=role)


def _line(row: dict[str, Any]) -> str:
    detail = str(row["detail"])
    shown = detail if len(detail) <= DETAIL_CHARS else detail[: DETAIL_CHARS - 1] + "…"
    attempts = "" if row["attempts"] == 1 else f" ({row['attempts']} attempts)"
    return f"{row['refused_at']:%Y-%m-%dT%H:%M:%SZ}  {row['id']}  {row['state']}  {row['reason']}{attempts}: {shown}"
