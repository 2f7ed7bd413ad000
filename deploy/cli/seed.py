"""`driftline seed`: a small installation to try things in, with the demo's model answering."""

from __future__ import annotations

import os
from pathlib import Path

import click

_FOLDER = click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))


@click.group("seed")
def command() -> None:
    """Begin an installation to try things in: what the container images of docker-compose.yml start with.

    All its keys are made on one machine: for a real one, 'driftline trust template' and 'driftline keys new'.
    """


@command.command("begin")
@_FOLDER
def begin(folder: Path) -> None:
    """Make keys for everybody below FOLDER, and the first record of the audit; nothing where that was done."""
    from driftline.deploy.demo.seed import begin as begin_here
    from driftline.deploy.local.discover import settings_here

    done = begin_here(settings_here(os.environ, Path.cwd()), folder)
    click.echo(f"{folder}: {'an installation has begun' if done else 'the installation is there already'}")


@command.command("model")
@_FOLDER
def model(folder: Path) -> None:
    """Train the demo's model, register, validate and approve it as the first that answers; nothing where one does.

    A controller and a serving agent run with the keys below FOLDER, and both read packages.store.
    """
    from driftline.deploy.demo.seed import first_model
    from driftline.deploy.demo.served import LIVE
    from driftline.deploy.local.discover import settings_here

    settings = settings_here(os.environ, Path.cwd())
    done = first_model(settings, folder, lambda text: click.echo(f"driftline: {text}", err=True))
    click.echo(f"{LIVE}: {'the model answers' if done else 'a model answers already'}")


@command.command("secrets")
@_FOLDER
@click.option(
    "--mounted", type=click.Path(path_type=Path), default=Path("/run/driftline/role"), show_default=True,
    metavar="FOLDER", help="Where a process will find the folder of its role.",
)  # fmt: skip
def secrets(folder: Path, mounted: Path) -> None:
    """Make the users, passwords and certificates of everybody below FOLDER; those that are there stay as they are.

    Addresses of Kafka and ClickHouse come from the settings.
    """
    from driftline.deploy.demo.secrets import make_secrets
    from driftline.deploy.local.discover import load_here

    made = make_secrets(folder, load_here(os.environ, Path.cwd()), mounted)
    click.echo(f"{folder}: {len(made)} roles made")
