"""`driftline worker drift`: the Faust app that counts predictions into windows and publishes what they show."""

from __future__ import annotations

import asyncio
import gc
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import faust
import mode

from driftline.schemas.topics import changelog_config, topic
from driftline.streams.archive.topics import described
from driftline.streams.metrics import DriftMetrics
from driftline.streams.processors.allocator import give_back, keep_large_blocks, let_go_of_code
from driftline.streams.processors.drift_source import Source
from driftline.streams.processors.drift_worker import DriftWorker
from driftline.streams.processors.drift_writer import Writer
from driftline.streams.processors.emitter_watch import EmitterWatch
from driftline.streams.processors.faust_bundles import carry_in_bundles
from driftline.streams.processors.faust_mends import (
    HeartbeatAge,
    MonotoneTable,
    drain_eagerly,
    forget_revoked,
    read_whole_fetches,
    seek_to_state,
    suspend_before_resuming,
    wait_where_it_is_full,
)
from driftline.streams.processors.faust_records import mend_reading
from driftline.streams.processors.faust_security import credentials
from driftline.streams.processors.faust_stop import STOP_S, end_within
from driftline.streams.processors.profile_tail import Followed, followed
from driftline.streams.processors.service import served_metrics
from driftline.streams.processors.tail import TopicTail
from driftline.streams.windows.kernel import warm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from prometheus_client import CollectorRegistry

    from driftline.schemas.settings import Settings

logger = logging.getLogger(__name__)

TICK_S: Final = 0.5
BUNDLE: Final = 25
"""Records that travel through Faust together."""
BUNDLES: Final = 4
"""Bundles that are taken from Faust's buffer at a time."""
BUFFERED: Final = 8
"""Bundles that wait in it: what a worker folds while the next ones are fetched, 12 MB of batches of 500 rows of 25."""
TAKE_WITHIN_S: Final = 0.01
GC_OBJECTS: Final = 20_000
"""New objects between two looks for cycles; Python's 700 are those of a few messages."""


class QuietMonitor(faust.Monitor):
    """Faust's monitor without its book-keeping a message, which nobody reads: 2 % of a worker's CPU."""

    def on_message_in(self, _tp: object, _offset: int, message: Any) -> None:  # noqa: ANN401 - faust's message
        """Set what faust reads again when the message leaves."""
        message.time_in = 0.0

    def on_message_out(self, *_: object) -> None:
        """Count nothing."""

    def on_stream_event_in(self, *_: object) -> None:
        """Count nothing."""

    def on_stream_event_out(self, *_: object) -> None:
        """Count nothing."""

    def track_tp_end_offset(self, *_: object) -> None:
        """Count nothing; the worker asks the consumer."""


class DriftApp(faust.App):
    """A Faust app that writes its state before it lets go of its partitions."""

    before_stop: Callable[[], Awaitable[None]] | None = None

    async def on_stop(self) -> None:
        """Faust calls this first when it stops, while the flow and the producer still run."""
        end_within(STOP_S)
        if self.before_stop is not None:
            await self.before_stop()
        await super().on_stop()

    def _create_directories(self) -> None:
        """Faust makes a data folder where the worker was started; the state lies in the changelog alone."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The app and the threads that feed its look-ups."""

    app: DriftApp
    books: Followed
    emitters: TopicTail


def main(settings: Settings) -> int:
    """Run one drift worker in this process until it is stopped.

    Returns:
        0 after an orderly stop; Faust ends the process with another code when it crashes.
    """
    keep_large_blocks()
    source = described(settings.kafka, [topic("predictions").name], lambda: False)[topic("predictions").name]
    with served_metrics(settings.worker) as registry:
        return _run(settings, registry, source.topic_id.encode())


def _run(settings: Settings, registry: CollectorRegistry, source_id: bytes) -> int:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    drift = build(settings, registry, source_id)
    warm()
    let_go_of_code()
    drift.emitters.start()
    drift.books.start()
    give_back()
    # What was imported and compiled lives as long as the process; decoding makes many small objects and no cycles.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_OBJECTS)
    running = faust.Worker(drift.app, loop=loop, override_logging=False, redirect_stdouts=False, quiet=True)
    try:
        running.execute_from_commandline()
    except SystemExit as stopped:
        return int(stopped.code or 0)
    finally:
        drift.books.stop()
        drift.emitters.stop()


def fetch_bytes(prefetch_bytes: int, partitions: int) -> int:
    """Bytes to ask for of each partition at a time, so that what is fetched ahead takes about so much memory.

    aiokafka holds a byte up to four times (answer, its parts, the messages not yet taken, those in the stream), and
    asks for as many partitions of the changelog, where it reads a fetch of what the worker itself has written. A
    record batch larger than what is asked for comes whole, and past 64 partitions at 32 MiB the least fetch is more.
    """
    return max(prefetch_bytes // (8 * partitions), 1 << 16)


def build(settings: Settings, registry: CollectorRegistry, source_id: bytes) -> Drift:
    """Make the app: nothing connects before it is started.

    Args:
        settings: brokers, worker rules.
        registry: where its metrics are kept.
        source_id: the id of the source topic, which the state must have been made from.
    """
    kafka, worker = settings.kafka, settings.worker
    session_s = worker.session_timeout_ms / 1000
    app = DriftApp(
        f"{kafka.topic_prefix}driftline-drift",
        broker=[f"aiokafka://{server}" for server in kafka.bootstrap.split(",")],
        broker_credentials=credentials(kafka),
        broker_session_timeout=session_s,
        broker_heartbeat_interval=session_s / 12,
        broker_rebalance_timeout=session_s * 3,
        broker_commit_interval=0.5,
        broker_max_poll_records=BUNDLES * BUNDLE,
        broker_check_crcs=True,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=fetch_bytes(worker.prefetch_bytes, kafka.partitions),
        stream_buffer_maxsize=BUNDLES * BUNDLE,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        table_standby_replicas=0,
        topic_disable_leader=True,
        topic_replication_factor=kafka.replication_factor,
        topic_partitions=kafka.partitions,
        producer_acks=-1,
        producer_linger=0.0,
        producer_max_batch_size=1_000_000,
        producer_max_request_size=topic("windows").max_message_bytes,
        agent_supervisor=mode.supervisors.CrashingSupervisor,
        web_enabled=False,
        store="memory://",
        Monitor=QuietMonitor,
    )
    predictions = kafka.topic_prefix + topic("predictions").name
    source = app.topic(
        predictions,
        key_serializer="raw",
        value_serializer="raw",
        partitions=kafka.partitions,
        acks=False,
    )
    # Faust's `topic` takes `maxsize` and loses it: the buffer would hold 100 bundles instead.
    source.maxsize = BUFFERED
    changelog = app.topic(
        f"{app.conf.id}-state-changelog",
        key_serializer="raw",
        value_serializer="raw",
        partitions=kafka.partitions,
        compacting=True,
        internal=True,
        acks=False,
        config=changelog_config(),
    )
    table = app.Table(
        "state",
        partitions=kafka.partitions,
        changelog_topic=changelog,
    )
    topics = {
        "predictions": predictions,
        "changelog": changelog.get_topic_name(),
        "windows": kafka.topic_prefix + topic("windows").name,
    }
    return _wire(app, settings, source, MonotoneTable(table), topics, source_id, DriftMetrics(registry))


def _wire(
    app: DriftApp,
    settings: Settings,
    source: Any,  # noqa: ANN401 - faust's topics are untyped
    table: MonotoneTable,
    topics: dict[str, str],
    source_id: bytes,
    metrics: DriftMetrics,
) -> Drift:
    """Put the mends on, and the worker between the stream and the state."""
    prefix = settings.kafka.topic_prefix
    emitters = EmitterWatch()
    books = followed(settings)
    emitter_tail = TopicTail(settings, prefix + topic("emitter-status").name, emitters.on_record)
    heartbeat = HeartbeatAge(app)
    reading = Source(app, topics["predictions"], table.values, metrics, source_id)
    writer = partial(Writer, app, topics["changelog"], topics["windows"], table)
    worker = DriftWorker(
        app, settings, table, (books.profiles, emitters), heartbeat, reading, writer, metrics
    )

    def starts(first: Mapping[int, int]) -> dict[int, int]:
        heartbeat.joined()
        return reading.starts(first)

    suspend_before_resuming(app)
    forget_revoked(app, worker.forget)
    seek_to_state(app, topics["predictions"], starts)
    drain_eagerly(app)
    wait_where_it_is_full(app)
    carry_in_bundles(app, topics["predictions"], BUNDLE)
    # An answer holds the source's partitions and the changelog's.
    read_whole_fetches(2 * settings.kafka.partitions * app.conf.consumer_max_fetch_size)
    mend_reading()

    async def fold(stream: Any) -> None:  # noqa: ANN401 - faust's stream
        async for events in stream.noack_take(BUNDLES, within=TAKE_WITHIN_S):
            await worker.take(events)

    async def tick() -> None:
        while not app.should_stop:
            await asyncio.sleep(TICK_S)
            await worker.tick()

    app.agent(source, name="drift")(fold)
    app.task(tick)
    app.before_stop = worker.finish
    return Drift(app, books, emitter_tail)
