"""Service: what every worker process does around its work: serve metrics, and end when it is told to."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

from driftline.schemas.ports import metrics_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driftline.schemas.settings import Worker

logger = logging.getLogger(__name__)

_JOIN_S: Final = 5.0


@contextlib.contextmanager
def served_metrics(worker: Worker) -> Iterator[CollectorRegistry]:
    """Serve the metrics of a registry, on the port that the settings name or a free one.

    Raises:
        DriftlineError: they cannot be served there.
    """
    registry, host, port = CollectorRegistry(), worker.metrics_host, worker.metrics_port
    ProcessCollector(registry=registry)
    with metrics_on(host, port, "worker.metrics_port"):
        server, thread = start_http_server(port, addr=host, registry=registry)
    logger.info("metrics on port %d", server.server_port)
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join(_JOIN_S)


@contextlib.contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """Give an event that SIGTERM or SIGINT sets, instead of ending the process where it stands."""
    stopping = threading.Event()
    held = {
        number: signal.signal(number, lambda *_: stopping.set()) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stopping
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
