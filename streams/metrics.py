"""Every Prometheus metric of the stream workers, in one place: names, labels, and what they mean.

Nothing is registered at import: a worker makes the metrics of its role for the registry it serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from prometheus_client import Counter, Gauge, Histogram

from driftline.schemas.forgets import Doubted
from driftline.streams.worker_metrics import HousekeepingMetrics, WorkerMetrics

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Buckets of durations, seconds."""


class DriftMetrics:
    """What `worker drift` tells about itself. Labels are partitions and resolutions: bounded by configuration."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.worker = WorkerMetrics(registry)
        self.events = Counter(
            "driftline_drift_events", "Prediction rows folded into windows.", ["partition"], registry=registry
        )
        self.duplicates = Counter(
            "driftline_drift_duplicates", "Batches skipped, seen before.", ["partition"], registry=registry
        )
        self.refused = Counter(
            "driftline_drift_refused", "Messages refused by intake.", ["partition"], registry=registry
        )
        said = "Rows for windows already cold: awaiting restatement."
        self.late = Counter("driftline_drift_late_rows", said, ["partition"], registry=registry)
        self.unsealed = Counter(
            "driftline_drift_unsealed_rows",
            "Rows without a seal: counted at least once.",
            ["partition"],
            registry=registry,
        )
        said = "Emitters' processes forgotten early, of too many: repeats count twice."
        self.forgotten = Counter("driftline_drift_emitters_forgotten", said, ["partition"], registry=registry)
        self.lag = Gauge(
            "driftline_drift_lag_messages",
            "Messages between the log's end and what was folded.",
            ["partition"],
            registry=registry,
        )
        self.awaiting = Gauge(
            "driftline_drift_awaiting_restatement_rows",
            "Rows of cold windows that are to be counted again from the archive.",
            ["partition"],
            registry=registry,
        )
        self.checkpoint_seconds = Histogram(
            "driftline_drift_checkpoint_seconds",
            "Time from planning a checkpoint to its acknowledgement.",
            buckets=SECONDS,
            registry=registry,
        )
        self.abandoned = Counter(
            "driftline_drift_checkpoints_abandoned",
            "Checkpoints given up because the group changed; their messages are folded again.",
            registry=registry,
        )
        self.state_bytes = Gauge(
            "driftline_drift_state_bytes", "Stored state.", ["partition"], registry=registry
        )
        self.windows = Counter(
            "driftline_drift_windows_published", "Window results sent.", ["resolution"], registry=registry
        )
        self.restated = Counter(
            "driftline_drift_windows_restated",
            "Cold windows counted again from the archive.",
            registry=registry,
        )
        self.gaps = Counter(
            "driftline_drift_gaps",
            "Offsets that came out of order: read again.",
            ["partition"],
            registry=registry,
        )
        self.lost = Counter(
            "driftline_drift_lost_messages",
            "Messages that retention removed before they were read.",
            ["partition"],
            registry=registry,
        )


class ArchiveMetrics:
    """What `worker archive` tells about itself. Labels are topics, partitions and reasons: bounded by configuration."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Make the metrics for a registry."""
        place = ["topic", "partition"]
        self.worker, self.housekeeping = WorkerMetrics(registry), HousekeepingMetrics(registry)
        self.rows = Counter(
            "driftline_archive_rows",
            "Rows stored in ClickHouse, by source topic.",
            ["topic"],
            registry=registry,
        )
        self.blocks = Counter(
            "driftline_archive_blocks", "Blocks stored in ClickHouse.", ["topic"], registry=registry
        )
        self.known_blocks = Counter(
            "driftline_archive_known_blocks",
            "Blocks that ClickHouse had already, whole: commits that were lost or set back.",
            ["topic"],
            registry=registry,
        )
        self.duplicates = Counter(
            "driftline_archive_duplicates",
            "Sealed batches left out, stored before.",
            ["topic"],
            registry=registry,
        )
        self.dead_letters = Counter(
            "driftline_archive_dead_letters",
            "Messages refused, by reason.",
            ["topic", "reason"],
            registry=registry,
        )
        self.lag = Gauge(
            "driftline_archive_lag_messages",
            "Messages between the log's end and what is stored.",
            place,
            registry=registry,
        )
        self.insert_seconds = Histogram(
            "driftline_archive_insert_seconds",
            "Time from planning a block to its last row on disk.",
            buckets=SECONDS,
            registry=registry,
        )
        self.headroom_seconds = Gauge(
            "driftline_archive_headroom_seconds",
            "How long ClickHouse may still be away before retention removes what is not stored.",
            place,
            registry=registry,
        )
        self.away_seconds = Gauge(
            "driftline_archive_away_seconds",
            "For how long ClickHouse or the broker has taken nothing; 0 while they do.",
            registry=registry,
        )
        self.held_bytes = Gauge(
            "driftline_archive_held_bytes",
            "Bytes read and not stored yet, as they travelled.",
            registry=registry,
        )
        said = "Messages that retention removed before they were stored."
        self.lost = Counter("driftline_archive_lost_messages", said, place, registry=registry)
        said = "Records of the audit not obeyed: no link of the chain, or a claim that nobody with the leave signed."
        self.unbelieved = Counter("driftline_archive_unbelieved_records", said, ["reason"], registry=registry)
        for reason in get_args(Doubted):  # from 0 on, or the first one would be no increase
            self.unbelieved.labels(reason)
        said = "1 while the audit is not the one that was followed before: nothing new is forgotten."
        self.doubts = Gauge("driftline_archive_audit_doubted", said, registry=registry)


class AccuracyMetrics:
    """What `worker accuracy` tells about itself. Labels are topics and partitions: bounded by configuration."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Make the metrics for a registry."""
        self.worker = WorkerMetrics(registry)
        self.rows = Counter(
            "driftline_accuracy_rows", "Predictions and labels read.", ["topic"], registry=registry
        )
        self.refused = Counter(
            "driftline_accuracy_refused", "Messages refused by intake.", ["topic"], registry=registry
        )
        self.late = Gauge(
            "driftline_accuracy_late_rows",
            "Predictions of windows already cold: awaiting restatement.",
            ["partition"],
            registry=registry,
        )
        self.held_bytes = Gauge(
            "driftline_accuracy_held_bytes",
            "Predictions and labels in memory.",
            ["partition"],
            registry=registry,
        )
        self.windows = Counter(
            "driftline_accuracy_windows_published", "Window results sent.", registry=registry
        )
        self.restated = Counter(
            "driftline_accuracy_windows_restated",
            "Cold windows counted again from the archive.",
            registry=registry,
        )
        self.failed = Counter(
            "driftline_accuracy_restatements_failed",
            "Deployments whose cold windows could not be counted again, each time that was tried.",
            registry=registry,
        )
        self.publish_seconds = Histogram(
            "driftline_accuracy_publish_seconds",
            "Time from counting what is due to the acknowledgement of the state.",
            buckets=SECONDS,
            registry=registry,
        )
        self.lost = Counter(
            "driftline_accuracy_lost_messages",
            "Messages that retention removed before they were read, or read again.",
            ["topic", "partition"],
            registry=registry,
        )


class AlertMetrics:
    """What `worker alerts` tells about itself. Labels are partitions and routes: bounded by configuration."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Make the metrics for a registry."""
        self.worker = WorkerMetrics(registry)
        self.windows = Counter("driftline_alerts_windows", "Window results read.", registry=registry)
        self.refused = Counter(
            "driftline_alerts_refused",
            "Records of windows that cannot be read, or are of one deployment too many.",
            registry=registry,
        )
        self.edges = Counter(
            "driftline_alerts_edges", "Edges published: fired or resolved.", ["state"], registry=registry
        )
        self.advices = Counter("driftline_alerts_advices", "Changes of advice published.", registry=registry)
        self.again = Counter(
            "driftline_alerts_edges_again",
            "Edges sent again, with the id they had, after a crash.",
            registry=registry,
        )
        self.open = Gauge("driftline_alerts_open", "Alerts that fire.", ["partition"], registry=registry)
        self.pending = Gauge(
            "driftline_alerts_pending",
            "Subjects with a bad window whose alert does not fire yet.",
            ["partition"],
            registry=registry,
        )
        self.shed = Gauge(
            "driftline_alerts_shed",
            "Alerts, subjects or windows left out at a bound, since the deployment's state began.",
            ["partition"],
            registry=registry,
        )
        self.lost = Counter(
            "driftline_alerts_lost_messages",
            "Window results that retention removed before they were read.",
            ["partition"],
            registry=registry,
        )
        self.emitters_lost = Counter(
            "driftline_alerts_emitter_lost_rows",
            "Rows that emitters of this worker's time gave up, by reason; `crash`: had in memory when they died.",
            ["reason"],
            registry=registry,
        )
        self.deployment = Gauge(
            "driftline_alerts_deployment_info",
            "1 for each deployment that settings were published of: whose it is.",
            ["deployment", "team", "owner", "importance"],
            registry=registry,
        )
        self.unrouted = Counter(
            "driftline_alerts_unrouted",
            "Edges for a route that no route of this worker's file is called.",
            registry=registry,
        )
        self.delivered = Counter(
            "driftline_alerts_delivered",
            "Edges, or for Alertmanager posts, that a receiver took.",
            ["route"],
            registry=registry,
        )
        self.failed = Counter(
            "driftline_alerts_failed",
            "Attempts that a receiver did not take; they are repeated.",
            ["route"],
            registry=registry,
        )
        self.given_up = Counter(
            "driftline_alerts_given_up",
            "Edges that a receiver refused for good.",
            ["route"],
            registry=registry,
        )
        self.waiting = Gauge(
            "driftline_alerts_waiting_seconds",
            "For how long a receiver has taken nothing; 0 while it does.",
            ["route"],
            registry=registry,
        )
