"""A stream worker as a child process: `driftline worker NAME` with the stack's settings."""

from __future__ import annotations

import sys
from pathlib import Path

from driftline.deploy.local.component import Component
from driftline.deploy.local.environment import child_environment
from driftline.deploy.local.spawn import Process, spawn_guarded
from driftline.schemas.settings import Settings

# Alerts stops after drift and accuracy, the archive last: what those publish at their end is told and written too.
ROLES = ("drift", "accuracy", "alerts", "archive")


class WorkerProcess(Component):
    """One worker; it is ready as soon as it lives, for its lag shows how it does."""

    # A last checkpoint, or a block on its way to ClickHouse.
    stop_seconds = 30.0

    def __init__(
        self, role: str, settings: Settings, *, log: Path, cwd: Path, config: Path | None = None
    ) -> None:
        """Describe the worker; nothing is started.

        Args:
            role: one of ROLES.
            settings: what it is told, by variables.
            log: file for its output.
            cwd: its working directory.
            config: the settings file that names it its role, for what variables must not carry.

        """
        super().__init__(log)
        self.name = role
        self._settings = settings
        self._cwd, self._config = cwd, config

    def launch(self) -> Process:
        """Start the worker."""
        command = [sys.executable, "-m", "driftline.deploy.cli", "worker", self.name]
        env = child_environment(self._settings, config=self._config)
        return spawn_guarded(command, cwd=self._cwd, log=self.log, env=env)

    def is_ready(self) -> bool:
        """Say whether it lives."""
        return self.alive

    def ended(self) -> None:
        """Release nothing: all it held ended with it."""
