"""Pools: the threads of a slot, apart for each deployment: a model that hangs in one holds up no other's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.agents.serving.pool import Pool

if TYPE_CHECKING:
    from driftline.agents.serving.metrics import ServingMetrics
    from driftline.agents.serving.slots import Slot


class Pools:
    """A pool a deployment, made with its first call.

    Args:
        slot: whose calls they make.
        threads, waiting: of each.
        metrics: tell what waits and hangs.
    """

    def __init__(self, slot: Slot, threads: int, waiting: int, metrics: ServingMetrics) -> None:
        self._slot, self._threads, self._most_waiting, self._metrics = slot, threads, waiting, metrics
        self._of: dict[str, Pool] = {}
        metrics.queue.labels(slot).set_function(lambda: sum(one.waiting for one in list(self._of.values())))

    @property
    def under_way(self) -> int:
        """Calls that somebody waits for."""
        return sum(one.under_way for one in self._of.values())

    @property
    def hung(self) -> int:
        """Calls that were given up, and hold a thread."""
        return sum(one.hung for one in self._of.values())

    def of(self, deployment: str) -> Pool:
        """The pool of a deployment."""
        found = self._of.get(deployment)
        if found is None:
            found = Pool(f"{self._slot}-{deployment}", self._threads, self._most_waiting)
            self._of[deployment] = found
            self._metrics.hung.labels(deployment, self._slot).set_function(lambda: found.hung)
        return found

    def close(self) -> None:
        """Let the threads end."""
        for one in self._of.values():
            one.close()
