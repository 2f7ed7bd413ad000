"""What fails at every publication is said once a minute, not in every round."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

import msgspec
import numpy as np
import pytest
from plain_days import Book

from driftline.schemas.columns import NumericBlock, PredictionColumns
from driftline.schemas.settings import load
from driftline.streams import complaints
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.errors import ClickHouseAwayError
from driftline.streams.complaints import Complaints
from driftline.streams.join import shard as join
from driftline.streams.join.dirty import Offsets
from driftline.streams.join.shard import Shard
from driftline.streams.processors.restater import Restater
from driftline.streams.replay.part import Part
from driftline.streams.replay.tasks import JoinTask
from driftline.streams.windows.rules import Rules

START_MS = 1_750_032_000_000
LOGGER = logging.getLogger("driftline.test")


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, bool]]:
    """Return what was logged, and whether with a trace."""
    return [(record.getMessage(), record.exc_info is not None) for record in caplog.records]


def test_a_cause_is_said_once_a_minute_with_how_often_it_came(caplog: pytest.LogCaptureFixture) -> None:
    """The trace comes with the first line alone, and never with an error that was foreseen."""
    one = Complaints()
    for now_s in (0.0, 1.0, 59.0, 60.0):
        one.say(LOGGER, "it is left out", ValueError("a\nb"), now_s, instance=f"at {now_s:g}")
    one.say(LOGGER, "it waits", ClickHouseAwayError("away: wait"), 60.0)
    assert lines(caplog) == [
        ("it is left out (at 0): ValueError: a b", True),
        ("it is left out (at 60): ValueError: a b (2 more since the last such line)", False),
        ("it waits: away: wait", False),
    ]


def test_causes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the cap the one said longest ago is forgotten, and said again."""
    monkeypatch.setattr(complaints, "CAUSES_MAX", 2)
    one = Complaints()
    for what in ("a", "b", "c"):
        assert one.say(LOGGER, what, ValueError(), 0.0)
    assert [one.say(LOGGER, what, ValueError(), 1.0) for what in ("c", "b", "a")] == [False, False, True]


def test_a_window_that_cannot_be_worked_out_is_said_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is due at every publication, and the windows of other deployments are published all the same."""
    whole = join.result_of

    def broken(hot: object, *rest: object) -> object:
        if hot.name == "bad":  # type: ignore[attr-defined]
            raise ZeroDivisionError("by zero")
        return whole(hot, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(join, "result_of", broken)
    shard = Shard(0, Book(), Rules())
    for offset in range(14):
        for name in ("bad", "good"):
            ids = np.full((1, 16), offset, np.uint8)
            scores = [NumericBlock(("score",), np.zeros((1, 1), np.float32))]
            times = np.full(1, START_MS, np.int64)
            shard.take_predictions(
                offset, PredictionColumns(name, "1", "champion", 1, None, ids, None, times, scores=scores), 0
            )
        assert {result.deployment for result in shard.results(offset * 10_000)} == {"good"}
        shard.commit()
    said = lines(caplog)  # three windows, of a day, a week and a month, in each of six publications a minute
    assert [trace for _, trace in said] == [True, False, False]
    assert "a window of 'bad' is left out (1d of 1750032000000 ms): Zero" in said[0][0]
    assert said[1][0].endswith("ZeroDivisionError: by zero (17 more since the last such line)")


@pytest.mark.parametrize("error", [ClickHouseAwayError("ClickHouse is away: start it"), OSError("broken")])
def test_a_restatement_that_fails_in_every_round_is_said_once(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The task is offered again and again; its failure is a line, not one a round."""

    def positions(_settings: object, _topic: str) -> dict[int, int]:
        raise error

    def work(_client: Client, _task: JoinTask, _settled: Callable[[], None]) -> Iterator[Part]:
        yield from ()

    monkeypatch.setattr(reads, "positions", positions)
    given = load({}, None)
    worker = msgspec.structs.replace(given.worker, publish_seconds=0.01)
    one: Restater[JoinTask] = Restater(msgspec.structs.replace(given, worker=worker), work)
    deadline = time.monotonic() + 10
    for _ in range(3):
        one.offer(JoinTask(0, (7, 3), {}, Offsets({3}), {}))
        while not one.is_free:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    one.stop()
    assert len(caplog.records) == 1
    assert caplog.records[0].getMessage().startswith("partition 0: cold windows wait: ")
