"""The drift worker without a broker: what it folds, writes, gives up, and reads again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from shards import BASE_MS, batch

from driftline.schemas.columns import pack_predictions
from driftline.schemas.partition import partition_of
from driftline.schemas.settings import Settings, Worker
from driftline.schemas.window import WindowResult
from driftline.streams.metrics import DriftMetrics
from driftline.streams.processors import drift_writer
from driftline.streams.processors.drift_source import Source
from driftline.streams.processors.drift_worker import DriftWorker
from driftline.streams.processors.drift_writer import Writer
from driftline.streams.processors.emitter_watch import EmitterWatch
from driftline.streams.processors.profile_book import ProfileBook
from driftline.streams.windows.held import StateError, partition_key, seal

DEPLOYMENT = "churn"


class Tp(NamedTuple):
    """A topic and partition."""

    topic: str
    partition: int


@dataclass
class Log:
    """The broker's side: what was sent by topic, and a switch that ends the ownership after so many sends."""

    sent: list[tuple[str, bytes, bytes | None]] = field(default_factory=list)
    sought: list[int] = field(default_factory=list)
    committed: list[int] = field(default_factory=list)
    highwater: int | None = 0
    owned: bool = True
    lose_after: int | None = None


def fake_app(log: Log, partition: int) -> Any:
    """An app with one assigned partition."""
    tp = Tp("predictions", partition)

    class Consumer:
        def assignment(self) -> set[Tp]:
            return {tp}

        def highwater(self, _tp: Tp) -> int | None:
            return log.highwater

        async def seek_wait(self, starts: dict[Tp, int]) -> None:
            log.sought += starts.values()

        async def _commit_offsets(self, offsets: dict[Tp, int]) -> None:
            log.committed += offsets.values()

    class Producer:
        async def send(self, topic: str, key: bytes, value: bytes | None, *_: object) -> Awaitable[None]:
            log.sent.append((topic, key, value))
            if log.lose_after is not None and len(log.sent) >= log.lose_after:
                log.owned = False
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done

    class Flow:
        def is_active(self) -> bool:
            return log.owned

    class App:
        consumer_generation_id = 1
        rebalancing = False
        in_recovery = False
        consumer, producer, flow_control = Consumer(), Producer(), Flow()

    return App()


@dataclass
class Table:
    """Stands for the mended table."""

    values: dict[bytes, bytes] = field(default_factory=dict)
    to_rewrite: set[tuple[int, bytes]] = field(default_factory=set)


@dataclass
class Alive:
    """Stands for the age of the last heartbeat."""

    seconds: float = 0.0


SETTINGS = Settings(worker=Worker(checkpoint_seconds=0.001, publish_seconds=0.001, idle_seconds=0.001))
PARTITION = partition_of(DEPLOYMENT.encode(), SETTINGS.kafka.partitions)


def worker_on(
    log: Log, table: Table, heartbeat: Alive | None = None, settings: Settings = SETTINGS
) -> DriftWorker:
    """A worker as `drift.build` makes it, on fakes."""
    app, metrics = fake_app(log, PARTITION), DriftMetrics(CollectorRegistry())
    made: Any = table
    source = Source(app, "predictions", table.values, metrics, b"topic-1")
    writer: Callable[..., Writer] = partial(Writer, app, "changelog", "windows", made)
    books = (ProfileBook(lambda: None), EmitterWatch())
    beat: Any = heartbeat or Alive()
    return DriftWorker(app, settings, made, books, beat, source, writer, metrics)


def record(offset: int, seq: int, times: list[int]) -> SimpleNamespace:
    """A record of the deployment, as aiokafka gives it."""
    value = pack_predictions(batch(DEPLOYMENT, seq, times))
    key = DEPLOYMENT.encode()
    return SimpleNamespace(partition=PARTITION, offset=offset, timestamp=BASE_MS, key=key, value=value)


def bundle(*records: SimpleNamespace, generation_id: int = 1) -> SimpleNamespace:
    """An event of Faust, whose message is a bundle."""
    return SimpleNamespace(message=SimpleNamespace(generation_id=generation_id, records=records))


def event(offset: int, seq: int, times: list[int]) -> SimpleNamespace:
    """An event of one record."""
    return bundle(record(offset, seq, times))


def later(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run work of the worker when a checkpoint is due again."""
    time.sleep(0.002)
    asyncio.run(work())


def rows_published(log: Log) -> dict[tuple[str, bool], int]:
    """Rows by resolution and finality, as published last."""
    results = [WindowResult.from_bytes(value) for topic, _, value in log.sent if topic == "windows" and value]
    return {(one.resolution, one.final): one.rows for one in results}


def test_states_come_before_books_and_books_before_the_partition_row() -> None:
    """The order of a checkpoint on the wire, then the commit of the source."""
    log, table = Log(highwater=1), Table()
    worker = worker_on(log, table)
    later(lambda: worker.take([event(0, 0, [BASE_MS])]))
    kinds = [key[:1] for topic, key, _ in log.sent if topic == "changelog"]
    assert kinds == [b"p", b"p", b"p", b"d", b"r"]
    assert log.committed == [1]
    assert set(table.values) == {key for topic, key, _ in log.sent if topic == "changelog"}


def test_a_lost_ownership_leaves_the_table_as_it_was_and_is_folded_again() -> None:
    """Lost between two steps: nothing is taken as written, and the same messages give the same state."""
    log, table = Log(highwater=1, lose_after=3), Table()
    worker = worker_on(log, table)
    later(lambda: worker.take([event(0, 0, [BASE_MS])]))
    assert table.values == {}
    assert log.committed == []
    log.owned, log.lose_after = True, None
    later(lambda: worker.take([event(0, 0, [BASE_MS])]))
    assert rows_published(log)["1h", False] == 1
    assert log.committed == [1]


def test_ownership_is_asked_again_within_a_step_that_is_sent_in_handfuls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step larger than what may be unacknowledged ends where the ownership ends, and nothing of it is kept."""
    monkeypatch.setattr(drift_writer, "UNACKNOWLEDGED_BYTES", 1)
    log, table = Log(highwater=1, lose_after=2), Table()
    worker = worker_on(log, table)
    later(lambda: worker.take([event(0, 0, [BASE_MS])]))
    assert len(log.sent) == 2
    assert (table.values, log.committed) == ({}, [])


def test_nothing_is_written_by_a_worker_whose_heartbeat_is_old() -> None:
    """Half a session without an answer: it may have been paused, and its successor may be writing."""
    log, table = Log(highwater=1), Table()
    worker = worker_on(log, table, Alive(SETTINGS.worker.session_timeout_ms / 2000 + 0.1))
    later(lambda: worker.take([event(0, 0, [BASE_MS])]))
    assert log.sent == []


def test_a_gap_is_read_again_and_a_repeat_is_skipped() -> None:
    """Offset 2 after 0 seeks to 1, once; offset 0 again changes nothing."""
    log, table = Log(highwater=4), Table()
    worker = worker_on(log, table)
    gap = [event(0, 0, [BASE_MS]), event(2, 2, [BASE_MS]), event(3, 3, [BASE_MS]), event(0, 0, [BASE_MS])]
    later(lambda: worker.take(gap))
    assert log.sought == [1]
    later(lambda: worker.take([event(1, 1, [BASE_MS]), event(2, 2, [BASE_MS])]))
    assert rows_published(log)["1h", False] == 3


def test_a_bundle_is_counted_record_by_record() -> None:
    """What a bundle brings again is skipped, and what it leaves out is sought, as with records that come alone."""
    log, table = Log(highwater=4), Table()
    worker = worker_on(log, table)
    first, second, fourth = (record(at, at, [BASE_MS]) for at in (0, 1, 3))
    later(lambda: worker.take([bundle(first, second), bundle(second, fourth)]))
    assert log.sought == [2]
    assert rows_published(log)["1h", False] == 2


def test_a_bundle_of_another_generation_is_let_go() -> None:
    """It was fetched before the group changed: nothing of it is folded, and the next one is."""
    log, table = Log(highwater=2), Table()
    worker = worker_on(log, table)
    old = bundle(record(0, 0, [BASE_MS, BASE_MS]), generation_id=0)
    later(lambda: worker.take([old, event(0, 0, [BASE_MS])]))
    assert rows_published(log)["1h", False] == 1


def test_a_record_without_a_value_is_skipped() -> None:
    """A tombstone among the predictions is refused as bad bytes are, and what comes after it is counted (P7)."""
    log, table = Log(), Table()
    worker = worker_on(log, table)
    nothing = event(0, 0, [0])
    nothing.message.records[0].value = None
    asyncio.run(worker.take([nothing, event(1, 0, [0, 1000])]))
    later(worker.tick)
    assert set(rows_published(log).values()) == {2}


def test_a_silent_gap_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has more, nothing comes: after some seconds the worker seeks to where its state stands."""
    log, table = Log(highwater=7), Table({partition_key(PARTITION): seal(4, 1, b"topic-1")})
    worker = worker_on(log, table)
    now = time.monotonic()
    monkeypatch.setattr("driftline.streams.processors.drift_source.time.monotonic", lambda: now)
    later(worker.tick)
    assert log.sought == []
    monkeypatch.setattr("driftline.streams.processors.drift_source.time.monotonic", lambda: now + 10)
    later(worker.tick)
    assert log.sought == [5]


def test_a_restarted_worker_closes_a_quiet_stream() -> None:
    """No message comes after the restart: the windows of the state close by the clock all the same."""
    log, table = Log(highwater=1), Table()
    patient = msgspec.structs.replace(
        SETTINGS, worker=msgspec.structs.replace(SETTINGS.worker, idle_seconds=9_999.0)
    )
    first = worker_on(log, table, settings=patient)
    later(lambda: first.take([event(0, 0, [BASE_MS])]))
    assert ("1d", True) not in rows_published(log)
    again = worker_on(log, table)
    for _ in range(3):
        later(again.tick)
    assert rows_published(log)["1d", True] == 1


def test_a_partition_whose_end_is_unknown_is_not_taken_for_quiet() -> None:
    """Until the consumer has heard the log's end nothing closes by idleness."""
    log, table = Log(highwater=1), Table()
    later(lambda: worker_on(log, table).take([event(0, 0, [BASE_MS])]))
    log.highwater = None
    again = worker_on(log, table)
    for _ in range(3):
        later(again.tick)
    assert ("1d", True) not in rows_published(log)


def test_a_topic_made_anew_stops_the_worker_with_a_sentence() -> None:
    """The state of another topic id does not fit these offsets."""
    log, table = Log(highwater=1), Table({partition_key(PARTITION): seal(1_000, 1, b"topic-0")})
    worker = worker_on(log, table)
    with pytest.raises(StateError, match="another one"):
        later(worker.tick)


def test_state_of_a_revoked_partition_goes_with_its_gauges() -> None:
    """After forgetting, neither values nor labels of the partition are left."""
    log, table = Log(highwater=1), Table()
    worker = worker_on(log, table)
    later(lambda: worker.take([event(0, 0, [BASE_MS])]))
    later(worker.tick)
    worker.forget(PARTITION)
    assert table.values == {}
    worker.forget(PARTITION)
