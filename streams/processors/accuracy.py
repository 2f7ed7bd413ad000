"""`driftline worker accuracy`: predictions held against labels, window by window, exactly.

A thin loop on confluent-kafka and no Faust app: exactness here rests on reading two topics from positions that the
stored state names, in the order in which the broker received them, which Faust hides. The pure part is `streams/join/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.streams.archive import topics
from driftline.streams.join.lanes import TOPICS
from driftline.streams.metrics import AccuracyMetrics
from driftline.streams.processors.accuracy_worker import AccuracyWorker
from driftline.streams.processors.join_store import Store
from driftline.streams.processors.profile_tail import followed
from driftline.streams.processors.service import served_metrics, told_to_stop
from driftline.streams.processors.terms_book import TermsBook

if TYPE_CHECKING:
    import threading

    from driftline.schemas.settings import Settings


def main(settings: Settings) -> int:
    """Run one accuracy worker in this process until SIGTERM or SIGINT.

    Returns:
        0 after an orderly stop.

    Raises:
        TopicError: a topic is missing, or not what it was.
        StateError: the stored state is of another release, or of other topics.
        KafkaAwayError: the broker stays away; start again, from the stored state.
    """
    with told_to_stop() as stopping, served_metrics(settings.worker) as registry:
        run(settings, stopping, AccuracyMetrics(registry))
    return 0


def run(settings: Settings, stopping: threading.Event, metrics: AccuracyMetrics) -> None:
    """Join until `stopping` is set; errors as `main`."""
    facts = topics.described(settings.kafka, list(TOPICS), stopping.is_set)
    if not facts:
        return
    books = followed(settings, keeps_truth=True)
    store = Store(settings)
    store.create()
    try:
        books.start()
        terms = TermsBook(books.profiles, books.declared)
        worker = AccuracyWorker(settings, facts, terms, store, metrics)
        try:
            while not stopping.is_set():
                worker.turn()
            worker.publish()
        finally:
            worker.close()
    finally:
        books.stop()
