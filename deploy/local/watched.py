"""One component under supervision: started again, after a wait, whenever it ends."""

from __future__ import annotations

import logging
from collections.abc import Callable

from driftline.deploy.local.backoff import Backoff
from driftline.deploy.local.component import Component
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.state import ComponentState, Phase

logger = logging.getLogger(__name__)


class Watched:
    """Decides, at each look, whether a component has ended and whether it is time to start it again.

    Attributes:
        component: what is watched.
        phase: as in the state file.
        restarts: starts after the first.

    """

    def __init__(self, component: Component, address: str, jitter: Callable[[], float]) -> None:
        """Watch a component; `jitter` gives uniform random numbers in [0, 1)."""
        self.component = component
        self.phase: Phase = "stopped"
        self.restarts = 0
        self._address = address
        self._jitter = jitter
        self._backoff = Backoff()
        self._started = 0.0
        self._next_start: float | None = None

    def start(self, now: float) -> None:
        """Start the component for the first time, or take over one that was started before."""
        self.component.begin()
        self._started = now
        self.phase = "starting"

    def look(self, now: float) -> None:
        """Look once: note an end, start again when it is time, note that it answers."""
        if self.phase in ("starting", "running") and not self.component.alive:
            self._ended(now)
        elif self.phase == "waiting" and self._next_start is not None and now >= self._next_start:
            self._again(now)
        elif self.phase == "starting" and self._answers():
            self.phase = "running"
        elif self.phase == "starting" and now - self._started > self.component.ready_seconds:
            logger.error("%s does not answer: it is ended and started again", self.component.name)
            self.component.kill()

    def stop(self) -> None:
        """Stop the component cleanly."""
        self.phase = "stopping"
        self.component.stop()
        self.phase, self._next_start = "stopped", None

    @property
    def state(self) -> ComponentState:
        """What the state file says about it."""
        alive = self.component.alive
        return ComponentState(
            name=self.component.name,
            phase=self.phase,
            pid=self.component.pid,
            address=self._address,
            started=self._started if alive else None,
            restarts=self.restarts,
            exit_code=self.component.exit_code,
            next_start=self._next_start,
            log=str(self.component.log),
        )

    def _ended(self, now: float) -> None:
        lived = now - self._started
        wait = self._backoff.after_end(lived_seconds=lived, jitter=self._jitter())
        name, code = self.component.name, self.component.exit_code
        logger.warning(
            "%s ended with exit code %s after %.0f s; next start in %.1f s", name, code, lived, wait
        )
        self.component.ended()
        self.phase, self._next_start = "waiting", now + wait

    def _again(self, now: float) -> None:
        self.restarts += 1
        self._next_start = None
        try:
            self.start(now)
        except (StackError, OSError):
            logger.exception("%s could not be started", self.component.name)
            self._ended(now)

    def _answers(self) -> bool:
        try:
            return self.component.is_ready()
        except StackError:
            logger.exception("%s is ended and started again", self.component.name)
            self.component.kill()
            return False
