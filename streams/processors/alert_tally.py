"""Tally: what the alerts worker says of itself, as metrics and in the log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from driftline.schemas.advice import Advice

if TYPE_CHECKING:
    from collections.abc import Collection

    from driftline.schemas.alert import Alert
    from driftline.streams.alerts.desk import Desk
    from driftline.streams.metrics import AlertMetrics

logger = logging.getLogger(__name__)

MISSED: Final = 1_000
"""Names of unknown routes that are said once each."""


class Tally:
    """Counts what is read and made.

    Args:
        metrics: where to count.
        routes: names that this worker knows: edges for others reach nobody, which is said.
    """

    def __init__(self, metrics: AlertMetrics, routes: Collection[str]) -> None:
        self._metrics, self._routes = metrics, frozenset(routes)
        self._missed: set[str] = set()

    def window(self, refused: int) -> None:
        """A record of `windows` was read, or refused."""
        self._metrics.windows.inc()
        self._metrics.refused.inc(refused)

    def edge(self, edge: Alert | Advice) -> None:
        """An edge was made, or advice has changed."""
        if isinstance(edge, Advice):
            why = edge.reasons[0].code if edge.reasons else ""
            logger.info("%s version %s: advice %s, %s", edge.deployment, edge.model_version, edge.advice, why)
            self._metrics.advices.inc()
        else:
            logger.info("%s %s: %s %s %s", edge.deployment, edge.state, edge.about, edge.name, edge.reason)
            self._metrics.edges.labels(edge.state).inc()
        unknown = set(edge.routes) - self._routes
        self._metrics.unrouted.inc(len(unknown))
        for name in unknown - self._missed:
            if len(self._missed) < MISSED:
                self._missed.add(name)
                logger.warning("no route is called %r: name it in the file of DRIFTLINE_ALERTS_ROUTES", name)

    def again(self, edges: int) -> None:
        """Edges were sent again."""
        self._metrics.again.inc(edges)

    def lost(self, partition: int, messages: int) -> None:
        """Retention took windows that nobody had read."""
        self._metrics.lost.labels(partition).inc(messages)
        logger.error(
            "windows, partition %d: retention removed %d records before they were read", partition, messages
        )

    def desk(self, partition: int, desk: Desk) -> None:
        """A partition was stored."""
        held = desk.alerting
        self._metrics.open.labels(partition).set(sum(len(case.firing) for case in held))
        self._metrics.pending.labels(partition).set(sum(case.pending for case in held))
        self._metrics.shed.labels(partition).set(sum(case.left_out for case in held))
