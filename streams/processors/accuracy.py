"""`driftline worker accuracy`: predictions held against labels, window by window, exactly.

A thin loop on confluent-kafka and no Faust app: exactness here rests on reading two topics from positions that the
stored state names, in the order in which the broker received them, which Faust hides. The pure part is `streams/join/`.
"""

from __future__ import annotations

import logging
import signal
import threading
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, start_http_server

from driftline.streams.archive import topics
from driftline.streams.join.lanes import TOPICS
from driftline.streams.metrics import AccuracyMetrics
from driftline.streams.processors.accuracy_worker import AccuracyWorker
from driftline.streams.processors.join_store import Store
from driftline.streams.processors.profile_book import ProfileBook
from driftline.streams.processors.scheme_book import SchemeBook
from driftline.streams.processors.tail import TopicTail

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings

logger = logging.getLogger(__name__)

PROFILE_WAIT_S: Final = 2.0
FIRST_READ_S: Final = 60.0


def main(settings: Settings) -> int:
    """Run one accuracy worker in this process until SIGTERM or SIGINT.

    Returns:
        0 after an orderly stop.

    Raises:
        TopicError: a topic is missing, or not what it was.
        StateError: the stored state is of another release, or of other topics.
        KafkaAwayError: the broker stays away; start again, from the stored state.
    """
    stopping = threading.Event()
    held = {
        number: signal.signal(number, lambda *_: stopping.set()) for number in (signal.SIGTERM, signal.SIGINT)
    }
    registry = CollectorRegistry()
    server, thread = start_http_server(
        settings.worker.metrics_port, addr=settings.worker.metrics_host, registry=registry
    )
    logger.info("metrics on port %d", server.server_port)
    try:
        run(settings, stopping, AccuracyMetrics(registry))
    finally:
        server.shutdown()
        thread.join(5.0)
        for number, handler in held.items():
            signal.signal(number, handler)
    return 0


def run(settings: Settings, stopping: threading.Event, metrics: AccuracyMetrics) -> None:
    """Join until `stopping` is set; errors as `main`."""
    facts = topics.described(settings.kafka, list(TOPICS), stopping.is_set)
    if not facts:
        return
    profiles = ProfileBook(lambda: tail.caught_up(PROFILE_WAIT_S))
    tail = TopicTail(settings, settings.kafka.topic_prefix + "profiles", profiles.on_record)
    store = Store(settings)
    store.create()
    tail.start()
    try:
        if not tail.caught_up(FIRST_READ_S):
            logger.warning("profiles were not read to their end within %.0f s: going on", FIRST_READ_S)
        worker = AccuracyWorker(settings, facts, SchemeBook(profiles), store, metrics)
        try:
            while not stopping.is_set():
                worker.turn()
            worker.publish()
        finally:
            worker.close()
    finally:
        tail.stop()
