"""`driftline worker retrain`: a local command for each advice to retrain."""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command("retrain")
@click.option(
    "--commands", "file", type=click.Path(path_type=Path, dir_okay=False, exists=True), required=True,
    metavar="FILE", help="A TOML file that says which command retrains which deployments (docs/retraining.md).",
)  # fmt: skip
@click.option(
    "--memory", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Where is remembered which advice was answered; by default in the data directory.",
)  # fmt: skip
def retrain(file: Path, memory: Path | None) -> None:
    """Run the local command of a deployment once for each advice to retrain it.

    Run one of these, without keys of controllers or approvers. What a command registers has been validated by nobody:
    it walks the whole path of a new version.
    """
    from driftline.agents.retrain.commands import must_start, read_commands
    from driftline.agents.retrain.memory import held
    from driftline.agents.retrain.worker import follow
    from driftline.deploy.local.discover import data_directory, settings_here
    from driftline.streams.processors.service import told_to_stop

    settings = settings_here(os.environ, Path.cwd(), role="retrain", needs=("kafka",))
    kept = memory or data_directory(settings, Path.cwd()).root / "retrain.json"
    commands = read_commands(file)
    must_start(commands, os.environ)
    with held(kept) as memory_of, told_to_stop() as stopping:
        follow(settings.kafka, commands, memory_of, os.environ, stopping)
