"""Every Prometheus metric of the controller; nothing is registered at import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from driftline.agents.control.controller.ledger import Ledger


class ControllerMetrics:
    """What `driftline controller` tells about itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Make the metrics for a registry."""
        self.active = Gauge(
            "driftline_controller_active",
            "1 while this process is the controller, 0 on standby.",
            registry=registry,
        )
        self.interrupted = Counter(
            "driftline_controller_interrupted",
            "Tenures that ended because another controller began or Kafka was away.",
            registry=registry,
        )
        self.written = Counter(
            "driftline_controller_audit_written",
            "Records that this process added to the audit.",
            registry=registry,
        )
        self.records = Gauge("driftline_controller_audit_records", "Records in the audit.", registry=registry)
        self.waiting = Gauge(
            "driftline_controller_waiting_commands", "Commands that wait for approvals.", registry=registry
        )
        self.unreviewed = Gauge(
            "driftline_controller_unreviewed_uses",
            "What was done with the glass broken and is not reviewed yet.",
            registry=registry,
        )
        self.live = Gauge("driftline_controller_live_instances", "Instances that live.", registry=registry)
        self.preparing = Gauge(
            "driftline_controller_preparing_deployments",
            "Deployments in which a change is being prepared.",
            registry=registry,
        )

    def told(self, ledger: Ledger, written: int) -> None:
        """Take the figures of a ledger after a turn."""
        self.written.inc(written)
        self.records.set(ledger.log.size)
        self.waiting.set(sum(1 for _ in ledger.desk.book))
        self.unreviewed.set(len(ledger.desk.book.reviews))
        self.live.set(len(ledger.members))
        self.preparing.set(sum(one.phase == "prepare" for one in ledger.desk.states.values()))
