"""`driftline controller`: the one process that decides commands and writes the audit and what serves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from driftline.deploy.cli.audit_source import genesis_option, pinned, settings_of_stack
from driftline.deploy.cli.output import log_to_stderr

if TYPE_CHECKING:
    from driftline.agents.control.controller.keys import Keys
    from driftline.schemas.settings import Settings

STORE_S: Final = 5.0
"""How long the store may take to give a profile: every command behind that register waits, halts too."""


@click.command("controller")
@genesis_option
def command(genesis: str | None) -> None:
    """Run the controller until it is told to stop (SIGTERM or Ctrl-C).

    Any number may run: one decides, the others stand by. It signs states with the key file control.controller_key and
    checkpoints with control.checkpoint_key; both must be keys that the trust names for that. Profiles come out of the
    packages that are registered, where packages.store is named. Commands wait for approvals as long as
    control.approval_hours_low, _medium and _high say; give each controller the same.
    """
    from driftline.agents.control.controller.metrics import ControllerMetrics
    from driftline.agents.control.controller.service import serve
    from driftline.agents.control.controller.tenure import Setup
    from driftline.agents.serving.package.stores import store_of
    from driftline.streams.processors.service import served_metrics, told_to_stop

    log_to_stderr()
    settings = settings_of_stack("controller")
    setup = Setup(
        settings.kafka,
        pinned(settings, genesis),
        _keys(settings),
        store_of(settings.packages, timeout_s=STORE_S) if settings.packages.store else None,
        settings.control.approval_ms,
        lambda: time.time_ns() // 1_000_000,
    )
    with told_to_stop() as stop, served_metrics(settings.worker) as registry:
        serve(setup, settings.worker.session_timeout_ms, ControllerMetrics(registry), stop)


def _keys(settings: Settings) -> Keys:
    from driftline.agents.control.controller.errors import ControllerError
    from driftline.agents.control.controller.keys import Keys
    from driftline.agents.control.keys import load

    control = settings.control
    for name in ("controller_key", "checkpoint_key"):
        if not getattr(control, name):
            raise ControllerError(
                f"no key file is named to sign with: set DRIFTLINE_CONTROL_{name.upper()}, or control.{name} in "
                "driftline.toml, to what 'driftline keys new' wrote"
            )
    return Keys(load(Path(control.controller_key)), load(Path(control.checkpoint_key)))
