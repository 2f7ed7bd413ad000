"""`driftline worker`: run one stream worker in the foreground."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import click

_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@click.command("worker")
@click.argument("role", type=click.Choice(["drift", "accuracy", "alerts", "archive"]))
def command(role: str) -> int:
    """Run one worker until it is told to stop (SIGTERM or Ctrl-C).

    drift counts predictions into windows and judges them; accuracy holds them against labels; alerts tells people
    of bad windows; archive writes everything to ClickHouse.
    """
    from importlib import import_module

    from driftline.deploy.local.discover import settings_here

    logging.basicConfig(level=logging.INFO, format=_LOG_FORMAT)
    settings = settings_here(os.environ, Path.cwd())
    run = import_module(f"driftline.streams.processors.{role}").main
    code: int = run(settings)
    return code
