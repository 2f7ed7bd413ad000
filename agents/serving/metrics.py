"""Every Prometheus metric of the serving agent, in one place: names, labels, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import psutil
from prometheus_client import Counter, Gauge

from driftline.agents.serving.tally import Spread, Tally

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from driftline.agents.serving.lease import Deployment

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets of durations, seconds."""


class ServingMetrics:
    """What an agent tells about itself. Labels are deployments, versions that serve, and words of this program."""

    def __init__(self, registry: CollectorRegistry) -> None:
        of = ["deployment", "version", "slot"]
        self.requests = Tally(
            "driftline_serving_requests",
            "Requests to a deployment that were answered, by status of HTTP.",
            ["deployment", "code"],
            registry=registry,
        )
        self.seconds = Spread(
            "driftline_serving_request_seconds",
            "From the head of a request, or the last byte of one that needs no task, to its answer.",
            ["deployment"],
            buckets=SECONDS,
            registry=registry,
        )
        self.calls = Tally(
            "driftline_serving_calls",
            "Model calls, by outcome: ok, error, timeout.",
            [*of, "status"],
            registry=registry,
        )
        self.call_seconds = Spread(
            "driftline_serving_call_seconds",
            "How long a model took, without waiting for a thread.",
            of,
            buckets=SECONDS,
            registry=registry,
        )
        self.fallbacks = Tally(
            "driftline_serving_fallbacks",
            "Requests of the canary that the champion answered.",
            ["deployment"],
            registry=registry,
        )
        self.canary_closed = Gauge(
            "driftline_serving_canary_closed",
            "1 when the canary failed too often here and is asked no more until the next revision.",
            ["deployment"],
            registry=registry,
        )
        self.shadow_dropped = Counter(
            "driftline_serving_shadow_dropped",
            "Requests that a shadow was not asked, because its queue was full or it was swapped out.",
            ["deployment", "version"],
            registry=registry,
        )
        self.unrecorded = Counter(
            "driftline_serving_unrecorded_rows",
            "Predictions that could not be made an event.",
            ["deployment"],
            registry=registry,
        )
        self.swaps = Counter(
            "driftline_serving_swaps",
            "Revisions, by outcome: prepared, activated, failed, refused.",
            ["deployment", "outcome"],
            registry=registry,
        )
        self.abandoned = Counter(
            "driftline_serving_abandoned_calls",
            "Calls of an old generation that hung, and that a swap waited for no longer.",
            ["deployment"],
            registry=registry,
        )
        self.revision = Gauge(
            "driftline_serving_revision", "Revision that is active.", ["deployment"], registry=registry
        )
        self.stale_seconds = Gauge(
            "driftline_serving_stale_seconds",
            "How long nothing was heard of the states; 0 without an installation.",
            registry=registry,
        )
        self.in_flight = Gauge(
            "driftline_serving_in_flight", "Requests that are being answered.", registry=registry
        )
        self.queue = Gauge(
            "driftline_serving_queue", "Requests that wait for a thread.", ["pool"], registry=registry
        )
        self.hung = Gauge(
            "driftline_serving_hung_calls",
            "Model calls that were given up and have not ended; each holds a thread.",
            ["deployment", "slot"],
            registry=registry,
        )
        self.door_rows = Counter(
            "driftline_serving_door_rows",
            "Lines and CloudEvents of the HTTP doors, by outcome: taken, refused, unpaired.",
            ["deployment", "door", "outcome"],
            registry=registry,
        )
        self.cpu_seconds = Gauge(
            "driftline_serving_process_cpu_seconds",
            "Processor time of this process, user and system.",
            registry=registry,
        )
        self.memory_bytes = Gauge(
            "driftline_serving_process_memory_bytes", "Resident memory of this process.", registry=registry
        )
        process = psutil.Process()
        self.cpu_seconds.set_function(lambda: sum(process.cpu_times()[:2]))
        self.memory_bytes.set_function(lambda: process.memory_info().rss)

    def follow(self, deployment: Deployment) -> None:
        """Tell what serves in a deployment whenever somebody asks."""
        self.revision.labels(deployment.name).set_function(lambda: deployment.slots.revision)
        self.canary_closed.labels(deployment.name).set_function(lambda: deployment.canary_closed)
