"""`driftline worker archive`: everything that travels on the topics, into ClickHouse, exactly once.

A thin loop on confluent-kafka and no Faust app, because exactness here rests on synchronous commits that carry a plan
(`streams/archive/place.py`), which Faust hides. The loop reads and decodes; the keeper's thread stores.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from driftline.streams.archive import topics
from driftline.streams.archive.forget_recorder import ForgetRecorder
from driftline.streams.archive.housekeeper import Housekeeper
from driftline.streams.archive.keeper import Hand, Keeper
from driftline.streams.archive.post import Post
from driftline.streams.archive.reader import Reader
from driftline.streams.archive.shelves import SHELVES
from driftline.streams.archive.warehouse import Warehouse
from driftline.streams.archive.watch import Watch
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.errors import ClickHouseAwayError, MigrationError
from driftline.streams.clickhouse.migrate import pending
from driftline.streams.metrics import ArchiveMetrics
from driftline.streams.processors.service import served_metrics, told_to_stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.schemas.settings import Settings
    from driftline.streams.archive.forget_recorder import Follow

logger = logging.getLogger(__name__)

# Records read and not stored yet, as they travelled; past it nothing is fetched. Decoded they are about as large again.
HELD_BYTES: Final = 96 << 20
# Not reading for this long delays only the group's business; pausing throws away what is fetched, so it comes after.
ROOM_SECONDS: Final = 1.0
DRAIN_SECONDS: Final = 10.0
DRAIN_LOOK_SECONDS: Final = 0.1
# How long to sleep when nothing is there: what an idle archive adds to freshness, and 1 % of a core.
IDLE_SECONDS: Final = 0.01
# Partitions stored beside one another: while one block is turned into columns, the server takes another.
HANDS: Final = 2
# Messages read between two looks at the clock.
READS_A_TURN: Final = 100


def main(settings: Settings, follow: Follow | None = None) -> int:
    """Run one archive worker in this process until SIGTERM or SIGINT.

    Args:
        settings: addresses and limits.
        follow: begins to follow what the audit lets be forgotten; without one nothing new is.

    Returns:
        0 after an orderly stop.

    Raises:
        TopicError: a topic is missing, or not what it was.
        MigrationError: the tables are not those of this release.
        KafkaAwayError: the broker stays away in the middle of an assignment; start again.
    """
    for noisy in ("urllib3", "clickhouse_connect"):
        # They say at each attempt what the keeper's own line says once, with what it means.
        logging.getLogger(noisy).setLevel(logging.ERROR)
    with told_to_stop() as stopping, served_metrics(settings.worker) as registry:
        run(settings, stopping, ArchiveMetrics(registry), follow)
    return 0


def run(
    settings: Settings, stopping: threading.Event, metrics: ArchiveMetrics, follow: Follow | None = None
) -> None:
    """Archive until `stopping` is set; `follow` and errors as `main`."""
    wait_for_tables(settings, stopping)
    facts = topics.described(settings.kafka, list(SHELVES), stopping.is_set)
    if not facts:
        return
    name = f"archive@{socket.gethostname()}:{os.getpid()}"
    reader = Reader(settings, facts, metrics)
    watch = Watch(metrics)
    with ExitStack() as edges:
        clients = [edges.enter_context(Client(settings.clickhouse)) for _ in range(HANDS)]
        hands = [Hand(Post(settings.kafka, name), Warehouse(client, name)) for client in clients]
        keeper = Keeper(reader.commits, hands, watch.done)
        keeper.start()
        recorder = ForgetRecorder(settings.control.genesis, follow, metrics)
        edges.enter_context(Housekeeper(settings, metrics.housekeeping, recorder))
        try:
            reader.subscribe(keeper)
            loop(reader, keeper, watch, stopping)
            logger.info("stopping: storing what was read")
            if not drained(reader, keeper, time.monotonic() + DRAIN_SECONDS):
                logger.warning("not all could be stored in time: the next worker reads it again")
        finally:
            keeper.stop(DRAIN_SECONDS)
            reader.close()


def loop(reader: Reader, keeper: Keeper, watch: Watch, stopping: threading.Event) -> None:
    """Read, cut and watch until told to stop, within bounded memory however long ClickHouse is away."""
    while not stopping.is_set():
        if keeper.failure is not None:
            raise keeper.failure
        if reader.held_bytes() + keeper.held_bytes < HELD_BYTES or keeper.room(HELD_BYTES // 2, ROOM_SECONDS):
            reader.resume()
            reads = READS_A_TURN
        else:
            reader.pause()
            reads = 1
        for _ in range(reads):
            if not reader.read():
                time.sleep(IDLE_SECONDS)
                break
        reader.cut()
        watch.look(reader, keeper, time.monotonic(), round(time.time() * 1000))


def drained(reader: Reader, keeper: Keeper, deadline_s: float) -> bool:
    """Store what was read, until a time of the monotonic clock; say whether all of it is stored or dropped.

    The group's business goes on meanwhile: a worker that does not serve it may not commit.
    """
    reader.pause()
    reader.cut(closing=True)
    while not keeper.drain(DRAIN_LOOK_SECONDS):
        if time.monotonic() > deadline_s:
            return False
        reader.read()
    return True


def wait_for_tables(
    settings: Settings, stopping: threading.Event, ask: Callable[[Settings], list[str]] = pending
) -> None:
    """Return when ClickHouse answers and its tables are those of this release, or when told to stop.

    Raises:
        MigrationError: migrations are to be applied first.
    """
    while not stopping.is_set():
        try:
            missing = ask(settings)
        except ClickHouseAwayError as error:
            logger.warning("waiting for ClickHouse: %s", error)
            stopping.wait(1.0)
            continue
        if missing:
            raise MigrationError(
                f"database {settings.clickhouse.database!r} lacks {missing[0]}: run 'driftline migrate' first",
            )
        return
