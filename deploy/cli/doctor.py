"""`driftline doctor`: what is missing or misconfigured, and the mend."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.deploy.cli.output import json_option, print_json
from driftline.schemas.errors import DriftlineError

if TYPE_CHECKING:
    from driftline.deploy.local.check import Check

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


class UnwellError(DriftlineError):
    """Something that was looked at must be mended."""


@click.command("doctor")
@click.option("--prepare", is_flag=True, help="Only fetch and prepare Kafka and ClickHouse.")
@json_option
def command(prepare: bool, as_json: bool) -> None:
    """Look at programs, room, settings, the data directory, topics and tables, and say how to mend each.

    Exits with 1 when something must be mended, and names it on stderr.
    """
    cwd = Path.cwd()
    if prepare:
        from driftline.deploy.local.discover import load_here
        from driftline.deploy.local.prepare import prepare as fetch

        fetch(load_here(os.environ, cwd), os.environ, lambda text: click.echo(f"driftline: {text}", err=True))
        return
    from driftline.deploy.local.examine import examine

    checks = examine(os.environ, cwd)
    for check in checks:
        if as_json:
            print_json(check)
        else:
            _show(check)
    failed = [check.name for check in checks if check.level == "fail"]
    if failed:
        which = ", ".join(failed)
        raise UnwellError(
            f"{len(failed)} of {len(checks)} checks failed ({which}): mend the first, as it says"
        )


def _show(check: Check) -> None:
    level = click.style(f"{check.level:<4}", fg=_COLOURS[check.level])
    click.echo(f"{level}  {check.name:<15} {check.found}")
    if check.mend:
        click.echo(f"{'':<22}-> {check.mend}")
