"""`driftline pending`: what waits for approvals, and what is to be reviewed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from driftline.deploy.cli.audit_source import pinned, settings_of_stack
from driftline.deploy.cli.output import json_option, print_json

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board
    from driftline.deploy.control.outside import Telling
    from driftline.deploy.control.wire import Wire

POLL_S: Final = 1.0


@click.command("pending")
@click.option("--deployment", metavar="NAME", help="Only of this deployment.")
@click.option(
    "--follow", is_flag=True, help="Go on, until Ctrl-C: one JSON object for each command that comes to wait."
)
@click.option(
    "--route",
    metavar="NAME",
    help="With --follow: a webhook of the file alerts.routes that hears of each, too.",
)
@json_option
def command(deployment: str | None, follow: bool, route: str | None, as_json: bool) -> None:
    """Show commands that wait for approvals, the longest first, and what was done with the glass broken.

    All of it comes out of the verified audit. Names stand beside ids where control.trust is the trust file. How a
    system elsewhere hears of what waits, and approves with a key of its own, stands in docs/control.md.
    """
    from driftline.deploy.control.board import Board
    from driftline.deploy.control.wire import wire_of

    if route is not None and not follow:
        raise click.UsageError("--route goes with --follow")
    settings = settings_of_stack()
    with closing(wire_of(settings.kafka)) as wire:
        board = Board(wire, pinned(settings, None))
        if not follow:
            _show(board, _names(settings.control.trust), deployment, as_json=as_json)
            return
        telling = None if route is None else _telling(settings.alerts.routes, route)
        for board_now in _followed(board, wire, deployment):
            for waiting in board_now:
                print_json(waiting)
            if telling is not None:
                telling.round(board, time.time(), deployment)


def _followed(board: Board, wire: Wire, deployment: str | None) -> Iterator[list[dict[str, Any]]]:
    """Give, again and again, what came to wait since."""
    from driftline.deploy.control.shown import waiting_table

    known: set[str] = set()
    while True:
        waiting = {one.digest: one for one in board.desk.book if deployment in (None, one.command.deployment)}
        now_ms = time.time_ns() // 1_000_000
        yield [
            waiting_table(one, board.lacking(one, now_ms))
            for one in waiting.values()
            if one.digest not in known
        ]
        known = set(waiting)
        board.hears(wire.coming(POLL_S))


def _telling(routes: str, name: str) -> Telling:
    from driftline.deploy.control.errors import AskingError
    from driftline.deploy.control.outside import Telling
    from driftline.schemas.routes import read_routes
    from driftline.schemas.sources import nearest
    from driftline.streams.processors.alert_post import post

    if not routes:
        raise AskingError(
            f"no file says what {name!r} is: set DRIFTLINE_ALERTS_ROUTES, or alerts.routes in driftline.toml"
        )
    found = read_routes(Path(routes), os.environ)
    if name not in found or found[name].kind != "webhook":
        raise AskingError(f"alerts.routes has no webhook {name!r}{nearest(name, found)}")
    return Telling(
        found[name], post, lambda why: click.echo(f"driftline: {name} did not take {why}", err=True)
    )


def _names(trust: str) -> dict[str, str]:
    from driftline.agents.control.trust_file import read_trust_file

    return read_trust_file(Path(trust)).names if trust else {}


def _show(board: Board, names: dict[str, str], deployment: str | None, *, as_json: bool) -> None:
    from driftline.deploy.control.shown import review_line, review_table, waiting_lines, waiting_table

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
