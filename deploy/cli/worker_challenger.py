"""`driftline worker challenger`: another package answers the events that a deployment has."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import click

from driftline.deploy.cli.commands import CommandEntry
from driftline.deploy.cli.group import MissingExtraError

logger = logging.getLogger(__name__)


@click.command("challenger")
@click.option(
    "--model", "package", type=click.Path(path_type=Path, file_okay=False, exists=True), required=True,
    metavar="PACKAGE", help="The package, a folder that 'driftline model pack' made.",
)  # fmt: skip
@click.option("--deployment", required=True, metavar="D", help="Whose events it answers.")
@click.option(
    "--by", "signers", metavar="KEY", multiple=True, required=True,
    help="A public key that may sign packages, as 'driftline keys new' prints it; may be repeated.",
)  # fmt: skip
@click.option(
    "--from-end", is_flag=True, help="Begin with the events to come; else with the oldest that Kafka has."
)
def challenger(package: Path, deployment: str, signers: tuple[str, ...], *, from_end: bool) -> None:
    """Answer the events of a deployment once more with PACKAGE, as its challenger, without any load on what serves.

    The package is verified, copied and tried first. Each event is answered once, and what a crash lets be answered
    again is counted once. Of several of these one answers, for all events of a deployment lie in one partition, and the
    others stand by. 'driftline compare-versions' puts it beside the champion.
    """
    try:
        from driftline.agents.challenger.admitted import admitted
    except ModuleNotFoundError as error:
        raise MissingExtraError(CommandEntry("worker challenger", "serving", ""), str(error.name)) from error
    from driftline.agents.challenger.scoring import Scorer
    from driftline.agents.challenger.worker import Challenger
    from driftline.agents.serving.package.trial import Bounds
    from driftline.deploy.cli.model import keys_of
    from driftline.deploy.local.discover import settings_here
    from driftline.schemas.names import name_fault
    from driftline.streams.processors.service import told_to_stop

    wrong = name_fault(deployment, slash=False)
    if wrong is not None:
        raise click.UsageError(f"{deployment!r} names no deployment: {wrong}")
    settings = settings_here(os.environ, Path.cwd(), role="challenger", needs=("kafka",))
    bounds = Bounds(settings.serve.trial_bytes, settings.serve.trial_seconds)
    with (
        admitted(package, keys_of(signers), settings.packages, bounds) as (manifest, model),
        told_to_stop() as stopping,
    ):
        scorer = Scorer(manifest, model, time.monotonic, logger.warning)
        Challenger(settings.kafka, deployment, manifest, scorer, from_end=from_end).run(stopping)
