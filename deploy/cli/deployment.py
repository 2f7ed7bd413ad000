"""`driftline deployment`: say what a deployment is judged by and who hears of it, and show what was said."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options
from driftline.deploy.cli.group import Group
from driftline.deploy.cli.output import json_option, print_json, print_table
from driftline.deploy.cli.values import Moment, milliseconds

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board
    from driftline.schemas.deployment import DeploymentSettings
    from driftline.schemas.deployment_state import DeploymentState
    from driftline.schemas.settings import Settings


@click.group("deployment", cls=Group)
def command() -> None:
    """Say what a deployment is judged by and who hears of it, and show what was said.

    The settings of a deployment are a TOML file: owner, contacts, floors, segments, alert rule (all of it in
    docs/deployment-settings.md). Workers judge each window with those in force at its end.
    """


@command.command("apply")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--since",
    type=Moment(),
    metavar="T",
    help="Event time (UTC) from which they hold; default: now, and for a deployment's first settings always.",
)
@asking_options(reason="settings of the deployment")
def apply_command(file: Path, since: datetime | None, how: How) -> int:
    """Publish the settings in FILE as the next revision; the same content again changes nothing.

    An unknown key or a value that is not allowed is one sentence, and nothing is published. A name that no published
    profile has is a warning: the profile may come later. In an installation under control (control.genesis is set) this
    is a command, configure, that is signed and decided as every other; the options for that hold there alone.
    """
    import time

    from driftline.deploy.local.deployments import apply
    from driftline.deploy.local.operator import operator_name
    from driftline.schemas.deployment_file import read_deployment

    wanted = read_deployment(file)
    settings, as_json = _settings("publisher"), how.as_json
    if settings.control.genesis:
        return _configure(file, wanted, since, how)
    if how.keys or how.dry_run:
        raise click.UsageError(
            "--key and --dry-run are for an installation under control: pin control.genesis"
        )
    state, is_new = apply(
        settings.kafka,
        wanted,
        changed_by=operator_name(settings),
        now_ms=time.time_ns() // 1_000_000,
        since_ms=milliseconds(since),
    )
    warnings = _warnings(settings, state)
    if as_json:
        print_json({**_facts(state), "published": is_new, "warnings": warnings})
        return 0
    for warning in warnings:
        click.echo(f"driftline: warning: {warning}", err=True)
    what = f"{state.deployment}, revision {state.revision}"
    click.echo(
        f"applied to {what}, as {state.changed_by}, for {_span(state)}"
        if is_new
        else f"{what} says the same already: nothing to do"
    )
    return 0


def _configure(file: Path, wanted: DeploymentSettings, since: datetime | None, how: How) -> int:
    """Ask for settings by a signed command, unless they are so."""
    import msgspec

    from driftline.deploy.local.deployments import held
    from driftline.schemas.sources import read_document

    since_ms = milliseconds(since)
    newest = held(_settings().kafka).states.get(wanted.deployment)
    if newest is not None and newest.settings == wanted and since_ms in (None, newest.since_ms):
        if how.as_json:
            print_json({**_facts(newest), "published": False, "warnings": []})
        else:
            click.echo(
                f"{newest.deployment}, revision {newest.revision} says the same already: nothing to do"
            )
        return 0

    def fields(board: Board) -> dict[str, Any]:
        del board
        # As JSON has it: times become texts.
        table = msgspec.to_builtins(read_document(file))
        target = None if since_ms is None else str(since_ms)
        return {"deployment": wanted.deployment, "settings": table, "target": target}

    return ask("configure", how, fields)


@command.command("show")
@click.argument("deployment")
@json_option
def show(deployment: str, as_json: bool) -> None:
    """Show the settings of DEPLOYMENT as a file that can be applied again, and who published them when."""
    from driftline.deploy.local.deployments import held
    from driftline.schemas.deployment_text import deployment_text, moment_text

    state = held(_settings().kafka).known(deployment)
    if as_json:
        print_json(_facts(state))
        return
    click.echo(f"# revision {state.revision}, by {state.changed_by}, {moment_text(state.changed_at_ms)}")
    click.echo(f"# for {_span(state)}")
    click.echo(deployment_text(state.settings))


@command.command("list")
@json_option
def list_command(as_json: bool) -> int:
    """List the deployments that have settings; exits with 1 when those of one cannot be read."""
    from driftline.deploy.local.deployments import held
    from driftline.schemas.deployment_text import moment_text

    found = held(_settings().kafka)
    states = [found.states[name] for name in sorted(found.states) if name not in found.unreadable]
    if as_json:
        for state in states:
            print_json(_facts(state))
    elif states:
        head = ("deployment", "owner", "team", "importance", "revision", "by", "at")
        print_table(head, [(
            state.deployment, state.settings.owner or "", state.settings.team or "", state.settings.importance,
            str(state.revision), state.changed_by, moment_text(state.changed_at_ms),
        ) for state in states])  # fmt: skip
    elif not found.unreadable:
        click.echo("no deployment has settings yet")
    for name, why in sorted(found.unreadable.items()):
        click.echo(f"driftline: the settings of {name!r} cannot be read: {why}", err=True)
    return 1 if found.unreadable else 0


def _warnings(settings: Settings, state: DeploymentState) -> list[str]:
    """Hold what was published against the profiles; what keeps them from being read is a warning, no failure."""
    from driftline.deploy.tables.declared import warnings
    from driftline.deploy.tables.shelf import published
    from driftline.schemas.errors import DriftlineError

    try:
        profiles = [profile for (of, _), profile in published(settings).items() if of == state.deployment]
    except DriftlineError as error:
        return [f"the names of columns are not checked: {error}"]
    return warnings(state.settings, profiles)


def _settings(role: str = "operator") -> Settings:
    from driftline.deploy.local.discover import settings_here

    return settings_here(os.environ, Path.cwd(), role=role)


def _facts(state: DeploymentState) -> dict[str, Any]:
    """Give a revision as --json prints it."""
    import msgspec

    from driftline.schemas.deployment_text import moment_text

    return {
        "deployment": state.deployment,
        "revision": state.revision,
        "changed_by": state.changed_by,
        "changed_at": moment_text(state.changed_at_ms),
        "since": moment_text(state.since_ms) if state.since_ms else None,
        "settings": msgspec.to_builtins(state.settings),
    }


def _span(state: DeploymentState) -> str:
    from driftline.schemas.deployment_text import moment_text

    return f"windows that end at {moment_text(state.since_ms)} or later" if state.since_ms else "all windows"
