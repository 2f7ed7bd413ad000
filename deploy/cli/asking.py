"""What every command that asks for a change has in common: its options, what it shows, and how it ends."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from driftline.deploy.cli.audit_source import pinned, settings_of_stack
from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.cli.telling import telling
from driftline.deploy.cli.values import FiniteRange

if TYPE_CHECKING:
    from driftline.deploy.control.asking import Asked, Fields
    from driftline.deploy.control.board import Board
    from driftline.deploy.control.outcome import Outcome
    from driftline.schemas.control.command import Op

LONGEST_S: Final = 900.0

prepare_option = click.option(
    "--prepare", metavar="TIME", help="How long instances may take to load what they have not; default: 2m."
)
cold_option = click.option(
    "--cold-rollback", is_flag=True, default=None,
    help="Where memory is short, let go of a previous champion to load it: going back loads that again.",
)  # fmt: skip
"""Only where a change is prepared while a previous champion may be held."""


@dataclass(frozen=True, slots=True)
class How:
    """How a command is asked: with which keys, why, and whether in earnest."""

    keys: tuple[Path, ...]
    reason: str
    ticket: str
    dry_run: bool
    timeout_s: float
    as_json: bool


def asking_options(reason: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of every asking command; the command takes them as one argument, `how`.

    Args:
        reason: the default of `--reason`; None where people must give one.
    """
    # A default of None is one that click takes for given.
    asked: dict[str, Any] = {"required": True} if reason is None else {"default": reason}
    options = (
        click.option("--reason", **asked, metavar="TEXT", help="Why, for the history."),
        click.option("--ticket", default="", metavar="TEXT", help="Of the change in another system."),
        click.option(
            "--key", "keys", type=click.Path(path_type=Path, dir_okay=False), multiple=True, metavar="FILE",
            help="Key file to sign with, in place of the setting control.key; root keys: several.",
        ),
        click.option(
            "--dry-run", is_flag=True,
            help="Say what would be decided now; nothing is published.",
        ),
        click.option(
            "--timeout", "timeout_s", type=FiniteRange(0.1, LONGEST_S), default=30.0, show_default=True,
            metavar="SECONDS", help="How long to wait for the outcome.",
        ),
        json_option,
    )  # fmt: skip

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inner(**given: Any) -> Any:  # noqa: ANN401 - a command's own arguments
            how = How(**{name: given.pop(name) for name in How.__dataclass_fields__})
            return function(how=how, **given)

        for option in reversed(options):
            inner = option(inner)
        return inner

    return wrap


def ask(op: Op, how: How, fields: Fields) -> int:
    """Build a command from what is so, show it, sign it, publish it, and print its outcome.

    Args:
        op: what is asked.
        how: with which keys, and why.
        fields: gives the fields of the command.

    Returns:
        0, the exit code.

    Raises:
        RefusedError: it was refused, or cancelled while it was prepared; with --json the object is printed before.
    """
    from driftline.deploy.control.asking import built, loaded, published, tried
    from driftline.deploy.control.board import Board
    from driftline.deploy.control.errors import RefusedError
    from driftline.deploy.control.shown import command_lines, outcome_line
    from driftline.deploy.control.wire import wire_of

    settings = settings_of_stack()
    keys, genesis = loaded(how.keys, settings.control.key), pinned(settings, None)
    with closing(wire_of(settings.kafka)) as wire:
        with telling("verifying the audit"):
            board = Board(wire, genesis)
        whole = {"reason": how.reason, "ticket": how.ticket, **fields(board)}
        now_ms = time.time_ns() // 1_000_000
        asked = built(board, op, whole, keys, now_ms, os.urandom)
        if not how.as_json:
            for line in command_lines(asked.command, asked.envelope.digest, asked.by):
                click.echo(line)
        with telling("waiting for the controller"):
            outcome = (
                tried(board, asked, now_ms)
                if how.dry_run
                else published(wire, board, asked, timeout_s=how.timeout_s, clock=time.monotonic)
            )
    _tell(asked, outcome, how)
    if outcome.is_refusal:
        raise RefusedError(outcome_line(asked, outcome))
    return 0


def answer(op: Op, digest: str, how: How) -> int:
    """Show the command that a person answers, found by the begin of its digest, and ask for the answer; as `ask`."""
    from driftline.deploy.control.shown import deployment_of, named_lines

    def fields(board: Board) -> dict[str, Any]:
        found = board.named(digest)
        if not how.as_json:
            for line in named_lines(found):
                click.echo(line)
            click.echo()
        return {"target": found.digest, "deployment": deployment_of(found)}

    return ask(op, how, fields)


def _tell(asked: Asked, outcome: Outcome, how: How) -> None:
    from driftline.deploy.control.shown import outcome_line, outcome_table

    if how.as_json:
        print_json({**outcome_table(asked, outcome), "published": not how.dry_run})
    elif not outcome.is_refusal:
        click.echo(("would be: " if how.dry_run else "") + outcome_line(asked, outcome))
