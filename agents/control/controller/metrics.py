"""Every Prometheus metric of the controller; nothing is registered at import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        self.witnessed = Gauge(
            "driftline_controller_witnessed_records",
            "Records below the last checkpoint that a witness of the trust signed.",
            ["witness"],
            registry=registry,
        )
        self.witnessed_at = Gauge(
            "driftline_controller_witnessed_timestamp_seconds",
            "When a witness signed that checkpoint, in seconds since 1970; 0 for never.",
            ["witness"],
            registry=registry,
        )

    def ended(self) -> None:
        """This process is not the controller any more."""
        self.active.set(0)
        self.witnessed.clear()
        self.witnessed_at.clear()

    def signed(self, witnesses: Mapping[str, tuple[int, int]]) -> None:
        """Take what each witness signed: records, and when, s since 1970."""
        self.witnessed.clear()
        self.witnessed_at.clear()
        for name, (records, at_s) in witnesses.items():
            self.witnessed.labels(name).set(records)
            self.witnessed_at.labels(name).set(at_s)

    def told(self, ledger: Ledger, written: int) -> None:
        """Take the figures of a ledger after a turn."""
        self.written.inc(written)
        self.records.set(ledger.log.size)
        self.waiting.set(sum(1 for _ in ledger.desk.book))
        self.unreviewed.set(len(ledger.desk.book.reviews))
        self.live.set(len(ledger.members))
        self.preparing.set(sum(one.phase == "prepare" for one in ledger.desk.states.values()))
