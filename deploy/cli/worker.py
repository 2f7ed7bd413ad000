"""`driftline worker`: run one worker in the foreground."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.deploy.cli.group import Group
from driftline.deploy.cli.output import log_to_stderr
from driftline.deploy.cli.worker_challenger import challenger
from driftline.deploy.cli.worker_retrain import retrain

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings


@click.group("worker", cls=Group)
def command() -> None:
    """Run one worker until it is told to stop (SIGTERM or Ctrl-C)."""
    log_to_stderr()


@command.command("drift")
def drift() -> int:
    """Count predictions into windows and judge them."""
    return _run("drift")


@command.command("accuracy")
def accuracy() -> int:
    """Hold predictions against labels and judge how well they did."""
    return _run("accuracy")


@command.command("alerts")
def alerts() -> int:
    """Tell people of bad windows, and advise on retraining."""
    return _run("alerts")


@command.command("archive")
def archive() -> int:
    """Write everything to ClickHouse, and remove there what is to be forgotten.

    What is to be forgotten is what the audit says and the archive can prove: a record of the chain that begins with the
    pinned genesis (DRIFTLINE_CONTROL_GENESIS), whose command persons signed and approved as the policy wants. Without a
    genesis nothing new is forgotten.
    """
    from functools import partial

    from driftline.streams.processors.archive import main

    settings = _settings("archive")
    if not settings.control.genesis:
        return main(settings)
    from driftline.deploy.control.forgetting import Following

    return main(settings, partial(Following, settings))


command.add_command(challenger)
command.add_command(retrain)


def _run(role: str) -> int:
    from importlib import import_module

    code: int = import_module(f"driftline.streams.processors.{role}").main(_settings(role))
    return code


def _settings(role: str) -> Settings:
    from driftline.deploy.local.discover import settings_here

    return settings_here(os.environ, Path.cwd(), role=role)
