"""Parts of the demo that run beside its stack: the controller, a serving agent, a witness, the worker that retrains."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

from driftline.deploy.local.component import Component
from driftline.deploy.local.discover import as_role, role_file
from driftline.deploy.local.environment import child_environment
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.ready import says_ready
from driftline.deploy.local.spawn import Process, spawn_guarded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from driftline.schemas.settings import Settings

ONE_THREAD: Final = {"OMP_NUM_THREADS": "1"}
"""Threads of OpenMP wait for one another by spinning, which costs whoever shares the cores with them."""


class Part(Component):
    """A command of driftline as a child; it is ready once its log says so.

    Args:
        name: of the part.
        words: the command and its arguments.
        settings: what it is told, by variables.
        log: file for its output.
        cwd: its working directory.
        said: a pattern that its log has once it is ready.
        role: whose users it has on a secured stack.
    """

    ready_seconds = 60.0
    stop_seconds = 20.0

    def __init__(
        self,
        name: str,
        words: Sequence[str],
        settings: Settings,
        *,
        log: Path,
        cwd: Path,
        said: str,
        role: str,
    ) -> None:
        super().__init__(log)
        self.name = name
        self._words, self._cwd, self._said = words, cwd, re.compile(said)
        self._settings, self._config = as_role(settings, role), role_file(settings, role)

    def launch(self) -> Process:
        """Start it."""
        command = [sys.executable, "-m", "driftline.deploy.cli", *self._words]
        env = child_environment(self._settings, config=self._config) | ONE_THREAD
        return spawn_guarded(command, cwd=self._cwd, log=self.log, env=env)

    def is_ready(self) -> bool:
        """Say whether its log says that it is."""
        return self.alive and self.found() is not None

    def found(self) -> re.Match[str] | None:
        """What its log says of being ready; None while it does not."""
        try:
            return self._said.search(self.log.read_text(errors="replace"))
        except FileNotFoundError:
            return None

    def ended(self) -> None:
        """Release nothing: all it held ended with it."""


class ServingAgent(Part):
    """`driftline serve`, on a port that it chose."""

    def __init__(self, settings: Settings, *, log: Path, cwd: Path) -> None:
        said = r"serving on http://\S+:(\d+)"
        super().__init__("agent", ("serve",), settings, log=log, cwd=cwd, said=said, role="agent")

    @property
    def port(self) -> int:
        """Where it listens on loopback; raises StackError before it does."""
        found = self.found()
        if found is None:
            raise StackError(f"the serving agent does not listen: see {self.log}")
        return int(found[1])

    def serves(self) -> bool:
        """Whether it is ready to answer with what it should serve."""
        return says_ready(self.port, "/v2/health/ready")
