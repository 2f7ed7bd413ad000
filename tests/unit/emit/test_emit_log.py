"""The common event of `log` takes the short way, which keeps every cap and every fact as the long one does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emit_fakes import NOBODY, columns_of, levels_of, numbers_of, sink

from driftline.agents.emit import Emitter, bulk
from driftline.agents.emit.ids import refill
from driftline.agents.emit.life import Life
from driftline.agents.emit.options import checked
from driftline.agents.emit.packed import parcel

NAMES = tuple(f"n{at}" for at in range(25))
FEATURES = dict.fromkeys(NAMES, 0.5)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emitter]:
    """Give an emitter without a thread, which takes 1,000 events and has ids for more."""
    monkeypatch.setattr(Life, "_start", lambda _life: True)
    emitter = Emitter("d", "1", bootstrap=NOBODY, buffer_events=1_000, features=NAMES)
    refill(emitter._life.pool, 1_700_000_000_000, 2_000)
    yield emitter
    emitter.close(0.0)


def test_facts_may_be_given_in_order(tmp_path: Path) -> None:
    """Facts travel alike whether they were named or given in the order in which they stand."""
    with sink(tmp_path) as out:
        out.emitter.log({"a": 1.0}, score=0.5, predicted="yes", latency_ms=2.5, status="ok")
        out.emitter.log({"a": 1.0}, 0.5, "yes", 2.5, "ok")
        batch = out.batch()
    assert columns_of(batch) == {"a": [1.0, 1.0]}
    assert numbers_of(batch.scores[0]) == [[0.5, 0.5]]
    assert levels_of(batch.predicted) == ["yes", "yes"]
    assert batch.latency_ms.tolist() == [2.5, 2.5]
    assert levels_of(batch.status) == ["ok", "ok"]


@pytest.mark.parametrize("facts", [{}, {"score": 0.5}, {"latency_ms": 1.5, "predicted": "x", "status": "ok"}])
@pytest.mark.parametrize("row", [False, True])
def test_the_common_event_takes_the_short_way(
    alone: Emitter, monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any], *, row: bool
) -> None:
    """While the buffer has ids and room, neither numbers of known names nor short facts go the long way."""
    alone.log(FEATURES)
    alone.log(np.zeros(25))
    monkeypatch.setattr(alone._intake, "log", lambda *_args: pytest.fail("the long way was taken"))
    for _ in range(200):
        alone.log(np.ones(25) if row else FEATURES, **facts)


@pytest.mark.parametrize("row", [False, True])
def test_the_cap_in_rows_holds_for_the_common_event(alone: Emitter, *, row: bool) -> None:
    """What comes past `buffer_events` is dropped as `buffer_full`, and counted."""
    for _ in range(1_500):
        alone.log(np.ones(25) if row else FEATURES)
    stats = alone.stats()
    assert (stats.in_flight, stats.dropped) == (1_000, {"buffer_full": 500})


def test_what_is_no_value_is_not_kept(alone: Emitter) -> None:
    """A list is wrong in every column: soon after one was seen, for one event in sixteen is looked at, none waits."""
    alone.log(FEATURES)
    for _ in range(500):
        alone.log({**FEATURES, "n7": ["x"]})
    rows = [row[1] for row in alone._life.door.rows]
    kept = [values["n7"] for values in rows if isinstance(values, dict)]
    # 300 events in a row of which none is looked at come once in 10^8 runs.
    assert kept.count(["x"]) < 300
    assert sum(... in values for values in rows if isinstance(values, tuple)) == 500 - kept.count(["x"])


@pytest.mark.parametrize("value", [["x"], {"x": 1}, b"x", np.zeros(2), object()])
def test_what_is_no_value_of_a_column_is_not_kept_either(value: object) -> None:
    """Nor is it kept by `log_many`; what is a number or a level stays, whatever its type."""
    columns = {"a": [value, 1.0, dt.date(2026, 1, 1), Fraction(1, 2)]}
    chunk = bulk.source_of(columns, None, None, {}, checked("d", "1", {}), lambda: 0).cut(0, 4)
    assert parcel(chunk).rest == {0: [..., 1.0, dt.date(2026, 1, 1), Fraction(1, 2)]}
