"""Tally: what the alerts worker says of itself, as metrics and in the log."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from driftline.schemas.advice import Advice
from driftline.schemas.topics import WINDOWS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from confluent_kafka import Consumer, TopicPartition

    from driftline.schemas.alert import Alert
    from driftline.schemas.deployment_state import DeploymentState
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
        self._declared: dict[str, tuple[str, ...]] = {}
        self._began_ms = time.time_ns() // 1_000_000

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

    def lost_rows(self, reason: str, rows: int, at_ms: int) -> None:
        """Emitters lost rows; what they lost before this worker began was told by the one before."""
        if at_ms >= self._began_ms:
            self._metrics.emitters_lost.labels(reason).inc(rows)

    def deployments(self, states: Iterable[DeploymentState]) -> None:
        """Whose each deployment is: the newest revisions of their settings."""
        gauge = self._metrics.deployment
        told: dict[str, tuple[str, ...]] = {
            one.deployment: (one.settings.team or "", one.settings.owner or "", one.settings.importance)
            for one in states
        }
        for name, labels in self._declared.items():
            if told.get(name) != labels:
                gauge.remove(name, *labels)
        for name, labels in told.items():
            gauge.labels(name, *labels).set(1)
        self._declared = told

    def stored(self, partition: int) -> None:
        """All that was taken of a partition of `windows` is stored."""
        self._metrics.worker.is_stored(WINDOWS, partition)

    def behind(self, consumer: Consumer, place: TopicPartition) -> None:
        """How far a partition is behind: the next offset that is wanted of it."""
        self._metrics.worker.is_behind(consumer, place, WINDOWS)

    def refused(self) -> None:
        """The broker did not take a position."""
        self._metrics.worker.refused.inc()

    def given_back(self) -> None:
        """No partition is this worker's any more."""
        self._metrics.worker.forget_all()
        for gauge in (self._metrics.open, self._metrics.pending, self._metrics.shed):
            gauge.clear()

    def desk(self, partition: int, desk: Desk) -> None:
        """A partition was stored."""
        held = desk.alerting
        self._metrics.open.labels(partition).set(sum(len(case.firing) for case in held))
        self._metrics.pending.labels(partition).set(sum(case.pending for case in held))
        self._metrics.shed.labels(partition).set(sum(case.left_out for case in held))
