"""Rows of a table that Kafka does not take."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from driftline.agents.emit import Stats
from driftline.agents.emit.ledger import Book
from driftline.deploy.cli import main
from driftline.deploy.tables import arrival, send, shelf
from driftline.deploy.tables.arrival import Arrival
from driftline.deploy.tables.plan import Planned, plan_table
from driftline.deploy.tables.watch import LOOKS, Watch
from driftline.schemas.settings import Kafka, Settings

ROWS = 120_000
"""More than an emitter's buffer takes."""

NOWHERE = Settings(kafka=Kafka(bootstrap="127.0.0.1:9"))


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    """A table of one number."""
    pq.write_table(pa.table({"x": pa.array(range(ROWS), pa.float32())}), tmp_path / "t.parquet")
    return plan_table(tmp_path / "t.parquet")


def test_a_broker_that_is_away_is_given_up(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending ends soon after the time in which nothing was acknowledged, though the buffer is full."""
    monkeypatch.setattr(send, "STALLED_S", 0.5)
    sent = send.send(NOWHERE, planned, "d", "1", profile=None)
    assert sent.stalled
    assert not sent.is_delivered
    assert sent.stats.delivered == 0
    assert sent.seconds < 10


def test_a_broker_that_is_away_is_given_up_before_the_next_row_is_due(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate of a row in 1,000 s keeps nobody waiting for a broker that is away."""
    monkeypatch.setattr(send, "STALLED_S", 0.5)
    sent = send.send(NOWHERE, planned, "d", "1", profile=None, rate=0.001)
    assert (sent.stalled, sent.rows) == (True, 1)
    assert sent.seconds < 10


class Books:
    """Stands for an emitter: the figures of its books, one after the other and then the last for ever.

    `looked_long` is set after three times as many looks as a watch has within its bound.
    """

    def __init__(self, *figures: tuple[int, int]) -> None:
        self._figures = list(figures)
        self.looked = 0
        self.looked_long = threading.Event()

    def stats(self) -> Stats:
        """Give delivered and in flight of this look."""
        delivered, in_flight = self._figures[min(self.looked, len(self._figures) - 1)]
        self.looked += 1
        if self.looked == 3 * LOOKS:
            self.looked_long.set()
        return Stats("i", 1, {"predictions": Book(delivered=delivered, in_flight=in_flight)}, {})

    def close(self, timeout: float) -> None:
        """Fail: nobody is to close it."""
        raise AssertionError(timeout)


def test_a_slow_broker_is_not_given_up() -> None:
    """As long as some row is acknowledged now and then, however few, sending goes on."""
    books = Books(*((at // 5, 5) for at in range(4 * LOOKS)), (99, 0))
    with Watch(books, 0.6) as watch:  # type: ignore[arg-type]
        assert books.looked_long.wait(30)
    assert not watch.stalled.is_set()


def test_a_process_that_was_stopped_does_not_give_a_broker_up_for_it() -> None:
    """A leap of the clock between two looks counts as two looks' time, and not as the broker's silence."""
    books, leaps = Books((0, 5)), iter([0.0, 0.0, 1_000.0])
    ahead_s = [0.0]

    def clock() -> float:
        ahead_s[0] += next(leaps, 0.0)
        return time.monotonic() + ahead_s[0]

    books.close = lambda _timeout: None  # type: ignore[method-assign, assignment]
    with Watch(books, 0.6, clock) as watch:  # type: ignore[arg-type]
        assert watch.stalled.wait(30)
    assert books.looked >= LOOKS // 2


def test_an_emitter_with_nothing_to_send_is_not_given_up() -> None:
    """Between rows that are seldom due nothing is acknowledged, and nothing is amiss."""
    books = Books((5, 0))
    with Watch(books, 0.1) as watch:  # type: ignore[arg-type]
        assert books.looked_long.wait(30)
    assert not watch.stalled.is_set()


def test_the_command_says_what_was_delivered_and_waits_for_nothing(
    planned: Planned, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence tells how many of how many rows Kafka has and what to do; ClickHouse is not asked."""
    stats = Stats("i", 1, {"predictions": Book(enqueued=9, delivered=5, dropped={"undelivered": 4})}, {})
    given_up = send.Sent(9, stats, 30.0, stalled=True)

    def look(*_names: object) -> Arrival:
        raise AssertionError("ClickHouse was asked")

    monkeypatch.setattr(send, "send", lambda *_args, **_options: given_up)
    monkeypatch.setattr(shelf, "published", lambda _settings: {})
    monkeypatch.setattr(arrival, "late_so_far", lambda *_names: 0)
    monkeypatch.setattr(arrival, "look", look)
    monkeypatch.setenv("DRIFTLINE_KAFKA_BOOTSTRAP", "127.0.0.1:9")
    monkeypatch.setenv("DRIFTLINE_CLICKHOUSE_HOST", "127.0.0.1")
    command = ["emit", str(planned.source.path), "--deployment", "d", "--version", "1", "--without-profile"]
    assert main(command) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"with 5 of {ROWS:,} rows delivered: see 'driftline status', then send the rest" in said
