"""`driftline worker alerts`: windows that are bad, become alerts, and reach the people whom they concern.

One thread turns windows into edges on the topic `alerts` (`streams/alerts/`); one thread a route reads that topic and
tells its receiver. They share nothing but the topic, so a receiver that is dead stops neither the others nor the edges.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from driftline.schemas.routes import read_routes
from driftline.schemas.topics import ALERTS, STATES, WINDOWS, topic
from driftline.streams.alerts.losses import LossBook
from driftline.streams.alerts.stored import reached
from driftline.streams.archive import topics
from driftline.streams.metrics import AlertMetrics
from driftline.streams.processors.alert_routes import start_feeds, stop_feeds
from driftline.streams.processors.alert_tally import Tally
from driftline.streams.processors.alerts_worker import AlertsWorker
from driftline.streams.processors.join_store import Store
from driftline.streams.processors.profile_tail import first_read
from driftline.streams.processors.service import served_metrics, told_to_stop
from driftline.streams.processors.settings_book import SettingsBook
from driftline.streams.processors.tail import TopicTail

if TYPE_CHECKING:
    import threading

    from driftline.schemas.settings import Settings

STATE_TOPIC: Final = "driftline-alerts-state"


def main(settings: Settings) -> int:
    """Run one alerts worker in this process until SIGTERM or SIGINT.

    Returns:
        0 after an orderly stop.

    Raises:
        SettingsError: the file of routes is wrong.
        TopicError: a topic is missing, or not what it was.
        KafkaAwayError: the broker stays away; start again, from the stored state.
    """
    with told_to_stop() as stopping, served_metrics(settings.worker) as registry:
        run(settings, stopping, AlertMetrics(registry))
    return 0


def run(settings: Settings, stopping: threading.Event, metrics: AlertMetrics) -> None:
    """Watch and tell until `stopping` is set; errors as `main`."""
    file = settings.alerts.routes
    routes = read_routes(Path(file), os.environ) if file else {}
    facts = topics.described(settings.kafka, [WINDOWS, ALERTS], stopping.is_set)
    if not facts:
        return
    tally = Tally(metrics, routes)
    book, losses = SettingsBook(), LossBook(tally.lost_rows)
    prefix = settings.kafka.topic_prefix
    store = Store(settings, STATE_TOPIC, reached)
    store.create()
    with ExitStack() as edges:
        for name, on_record in ((STATES, book.on_record), (topic("emitter-status").name, losses.on_record)):
            tail = TopicTail(settings, prefix + name, on_record)
            tail.start()
            edges.callback(tail.stop)
            first_read(tail)
        feeds = start_feeds(settings, facts[ALERTS], routes, metrics)
        edges.callback(stop_feeds, feeds)
        worker = AlertsWorker(settings, facts["windows"], (book, losses), store, tally)
        edges.callback(worker.close)
        while not stopping.is_set():
            worker.turn()
            for feed in feeds:
                feed.check()
        worker.commit()
