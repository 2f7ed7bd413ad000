"""`driftline pending`: what waits for approvals, and what is to be reviewed."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import click

from driftline.deploy.cli.audit_source import pinned, settings_of_stack
from driftline.deploy.cli.output import json_option, print_json


@click.command("pending")
@click.option("--deployment", metavar="NAME", help="Only of this deployment.")
@json_option
def command(deployment: str | None, as_json: bool) -> None:
    """Show commands that wait for approvals, the longest first, and what was done with the glass broken.

    All of it comes out of the verified audit. Names stand beside ids where control.trust is the trust file.
    """
    from driftline.agents.control.trust_file import read_trust_file
    from driftline.deploy.control.board import Board
    from driftline.deploy.control.shown import (
        review_line,
        review_table,
        waiting_lines,
        waiting_table,
    )
    from driftline.deploy.control.wire import wire_of

    settings = settings_of_stack()
    names = read_trust_file(Path(settings.control.trust)).names if settings.control.trust else {}
    with closing(wire_of(settings.kafka)) as wire:
        board = Board(wire, pinned(settings, None))
    now_ms = time.time_ns() // 1_000_000
    found = [one for one in board.desk.book if deployment in (None, one.command.deployment)]
    reviews = [one for one in board.desk.book.reviews if deployment in (None, one.deployment)]
    for waiting in found:
        lacking = board.lacking(waiting, now_ms)
        if as_json:
            print_json(waiting_table(waiting, lacking))
            continue
        for line in waiting_lines(waiting, lacking, names):
            click.echo(line)
        click.echo()
    for review in reviews:
        if as_json:
            print_json(review_table(review))
        else:
            click.echo(review_line(review, names))
    if not found and not reviews and not as_json:
        click.echo("nothing waits")
