"""`driftline up`: start the local stack, in the foreground or in the background."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.deploy.cli.output import json_option, print_json

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings


@click.command("up")
@click.option("--detach", "-d", is_flag=True, help="Return when everything is ready; the stack goes on.")
@click.option("--data-dir", type=click.Path(file_okay=True), help="Where data and logs lie [.driftline].")
@click.option("--kafka-port", type=click.IntRange(0, 65_535), help="Port of Kafka; 0 takes a free one.")
@click.option(
    "--clickhouse-port", type=click.IntRange(0, 65_535), help="HTTP port of ClickHouse; 0 takes a free one."
)
@click.option("--secure", is_flag=True, help="A user for everybody, ACLs by role, TLS; for new data.")
@click.option("--no-workers", is_flag=True, help="Only Kafka and ClickHouse, with topics and tables.")
@json_option
def command(
    detach: bool,
    data_dir: str | None,
    kafka_port: int | None,
    clickhouse_port: int | None,
    secure: bool,
    no_workers: bool,
    as_json: bool,
) -> None:
    """Start Kafka, ClickHouse, the workers and the board on this machine.

    Everything listens on 127.0.0.1 only; data and logs lie in .driftline/. Without --detach the stack ends with
    this command (Ctrl-C). A part that settings call "outside" is not started, only checked.

    With --secure everybody needs a password, random ones of which lie in .driftline/access/, a settings file a role:
    commands here find theirs, an application is given its own by DRIFTLINE_CONFIG. The board asks people for the token
    in board.token there. Data that was begun so stays so.
    """
    from driftline.deploy.local.board import BOARD
    from driftline.deploy.local.daemon import start_in_background
    from driftline.deploy.local.foreground import run_in_foreground
    from driftline.deploy.local.worker import ROLES

    options: dict[str, object] = {
        "data_dir": data_dir,
        "kafka_port": kafka_port,
        "clickhouse_port": clickhouse_port,
    }
    options |= {"secure": True} if secure else {}
    settings = _settings({name: value for name, value in options.items() if value is not None})
    workers = () if no_workers else (BOARD, *ROLES)
    if detach:
        pid = start_in_background(settings, workers, _say)
        _summary(settings, as_json)
        if not as_json:
            click.echo(
                f"  running in the background (pid {pid}): 'driftline status' shows it, 'driftline down' stops it"
            )
        return
    run_in_foreground(settings, workers, _say, lambda: _ready(settings, as_json))


def _settings(options: dict[str, object]) -> Settings:
    import msgspec

    from driftline.deploy.local.discover import load_here

    settings = load_here(os.environ, Path.cwd())
    return msgspec.structs.replace(settings, local=msgspec.structs.replace(settings.local, **options))


def _say(text: str) -> None:
    click.echo(f"driftline: {text}", err=True)


def _ready(settings: Settings, as_json: bool) -> None:
    _summary(settings, as_json)
    if not as_json:
        click.echo("  Ctrl-C stops it")


def _summary(settings: Settings, as_json: bool) -> None:
    from driftline.deploy.access.files import BOARD_TOKEN
    from driftline.deploy.local.discover import data_directory, running_state

    directory = data_directory(settings, Path.cwd())
    state = running_state(directory)
    if state is None:
        return
    if as_json:
        print_json(
            {
                "data_dir": str(directory.root),
                "supervisor_pid": state.pid,
                "components": [
                    {"name": part.name, "pid": part.pid, "address": part.address} for part in state.components
                ],
            }
        )
        return
    click.echo("the stack is ready")
    for part in state.components:
        where = part.address or f"pid {part.pid}"
        click.echo(f"  {part.name:<10} {where}")
    click.echo(f"  {'logs':<10} {directory.logs}")
    if state.secure:
        click.echo(f"  {'passwords':<10} {directory.access}")
        click.echo(f"  {'the board':<10} asks for the token in {directory.access / BOARD_TOKEN}")
        click.echo(f"  {'your app':<10} export DRIFTLINE_CONFIG={directory.access / 'emitter.toml'}")
        return
    for part in state.components:
        if part.name == "kafka":
            click.echo(f"  {'your app':<10} export DRIFTLINE_KAFKA_BOOTSTRAP={part.address}")
