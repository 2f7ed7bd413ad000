"""What an application may not log costs that event alone: counted by reason, said once, never raised."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from emit_fakes import NOBODY, columns_of, sink

from driftline.agents.emit import Emitter, assemble, ids
from driftline.agents.emit.assemble import chunks
from driftline.agents.emit.shapes import ShapeBook

BAD: dict[str, tuple[object, dict[str, Any]]] = {
    "no dict": ([1.0], {}),
    "nothing": (None, {}),
    "no features": ({}, {}),
    "a name that is no text": ({1: 2.0}, {}),
    "an empty name": ({"": 2.0}, {}),
    "a name with a space before it": ({" a": 2.0}, {}),
    "too many features": ({f"f{at}": 0.0 for at in range(5_000)}, {}),
    "a numpy row without names": (np.zeros(3), {}),
    "a time without a zone": ({"a": 1.0}, {"at": dt.datetime(2024, 1, 1)}),  # noqa: DTZ001 - that is the point
    "a time in seconds": ({"a": 1.0}, {"at": 1_700_000_000.5}),
    "a time before 1970": ({"a": 1.0}, {"at": -1}),
    "an id that is empty": ({"a": 1.0}, {"id": ""}),
    "an id of five bytes": ({"a": 1.0}, {"id": b"12345"}),
    "an id that is no text": ({"a": 1.0}, {"id": 1.5}),
    "segments that are none": ({"a": 1.0}, {"segments": "gold"}),
    "a segment without a name": ({"a": 1.0}, {"segments": {"": "gold"}}),
    "a score without a name": ({"a": 1.0}, {"score": {"": 0.5}}),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_event_is_counted_and_never_raises(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is dropped as `invalid`, the log says the cause once, the good ones travel, and an id is returned."""
    features, more = BAD[what]
    with sink(tmp_path) as out, caplog.at_level(logging.WARNING, "driftline.emit"):
        out.emitter.log({"a": 1.0})
        keys = [out.emitter.log(features, **more) for _ in range(3)]  # type: ignore[arg-type]
        out.emitter.log({"a": 2.0})
        stats = out.stats()
        assert columns_of(out.batch()) == {"a": [1, 2]}
    assert all(isinstance(key, bytes) and len(key) == 16 for key in keys)
    assert stats.ledger() == {
        "enqueued": 5,
        "delivered": 0,
        "dropped": {"invalid": 3},
        "spooled": 2,
        "in_flight": 0,
    }
    assert len([record for record in caplog.records if "invalid" in record.message]) == 1


def test_an_event_that_misbehaves_costs_itself(tmp_path: Path) -> None:
    """A value that raises when it is read is wrong, and any mapping will do."""

    class Mood:
        def __float__(self) -> float:
            raise RuntimeError("no")

    with sink(tmp_path) as out:
        out.emitter.log(MappingProxyType({"a": 1.0}))
        out.emitter.log({"a": Mood()})
        out.emitter.log({"a": 2.0})
        assert columns_of(out.batch()) == {"a": [1, "?", 2]}


def test_a_surrogate_is_a_wrong_value(tmp_path: Path) -> None:
    """A text that no UTF-8 can carry is a wrong value of its column, and nothing else is lost."""
    with sink(tmp_path) as out:
        out.emitter.log({"c": "x"})
        out.emitter.log({"c": "\ud800"})
        assert columns_of(out.batch()) == {"c": ["x", "?"]}


def test_one_row_too_large_is_dropped_alone(tmp_path: Path) -> None:
    """A row larger than a message may be is dropped as `too_large`; those around it travel."""
    with sink(tmp_path) as out:
        for text in ("x", "y" * 1_100_000, "z"):
            out.emitter.log({"c": text})
        stats = out.stats()
        found = [value for batch in out.batches() for value in columns_of(batch)["c"]]
    assert found == ["x", "z"]
    assert stats.dropped == {"too_large": 1}
    assert stats.total.balance == 0


class _Leaver:
    """A value that ends the process of whoever reads it."""

    def __float__(self) -> float:
        raise SystemExit(3)


ODD: dict[str, object] = {
    "a tuple": (1,),
    "a tuple of pairs": (("a", 1.0),),
    "a list": [1.0],
    "a set": {1.0},
    "bytes": b"1",
    "a text": "high",
    "a complex number": 1j,
    "a function": len,
    "a value that exits": _Leaver(),
    "an integer beyond floats": 10**400,
    "an array": np.zeros(3),
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("place", ["score", "latency_ms", "predicted", "status"])
def test_an_odd_fact_never_costs_the_neighbours(tmp_path: Path, what: str, place: str) -> None:
    """Whatever stands for a score or another fact, the events before and after it travel and the books balance."""
    with sink(tmp_path) as out:
        out.emitter.log({"a": 1.0}, score=0.5)
        out.emitter.log({"a": 2.0}, **{place: ODD[what]})  # type: ignore[arg-type]
        out.emitter.log({"a": 3.0}, score={"p": 0.5})
        stats = out.stats()
        found = [value for batch in out.batches() for value in columns_of(batch)["a"]]
    assert {1, 3} <= set(found)
    assert stats.dropped.get("invalid", 0) == 3 - len(found)
    assert stats.total.balance == 0


def test_a_score_that_is_a_tuple_is_a_wrong_score(tmp_path: Path) -> None:
    """A tuple is no dict of scores: it is a wrong value of the column `score`, like any other that is no number."""
    with sink(tmp_path) as out:
        out.emitter.log({"a": 1.0}, score=0.5)
        out.emitter.log({"a": 2.0}, score=(("a", 1.0),))  # type: ignore[arg-type]
        batch = out.batch()
    assert batch.scores[0].names == ("score",)
    assert [(gap.name, gap.wrong.tolist()) for gap in batch.gaps] == [("score", [False, True])]


def test_events_that_cannot_be_assembled_cost_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is raised while events become columns drops just those to blame, says the cause once, and goes on."""
    honest = assemble.of_rows

    def of_rows(rows: Sequence[tuple[Any, ...]]) -> assemble.Chunk:
        if any(row[4] == 666.0 for row in rows):
            raise SystemExit(3)
        return honest(rows)

    monkeypatch.setattr(assemble, "of_rows", of_rows)
    with sink(tmp_path) as out, caplog.at_level(logging.WARNING, "driftline.emit"):
        for at in range(20):
            out.emitter.log({"a": float(at)}, score=666.0 if at in {3, 11} else 0.5)
        stats = out.stats()
        found = [value for batch in out.batches() for value in columns_of(batch)["a"]]
    assert found == [at for at in range(20) if at not in {3, 11}]
    assert stats.dropped == {"invalid": 2}
    assert stats.total.balance == 0
    assert len([record for record in caplog.records if "SystemExit" in record.message]) == 1


def test_a_feature_that_exits_is_wrong(tmp_path: Path) -> None:
    """SystemExit out of a value neither ends the thread nor costs more than that value."""
    with sink(tmp_path) as out:
        for value in (1.0, _Leaver(), 2.0):
            out.emitter.log({"a": value})
        assert columns_of(out.batch()) == {"a": [1, "?", 2]}


def test_a_label_lets_nothing_out_but_an_interrupt(tmp_path: Path) -> None:
    """A label whose value exits is `invalid`; only KeyboardInterrupt reaches the caller."""

    class Interrupted:
        def __float__(self) -> float:
            raise KeyboardInterrupt

    with sink(tmp_path) as out:
        out.emitter.label("x", _Leaver())
        with pytest.raises(KeyboardInterrupt):
            out.emitter.label("x", Interrupted())
        assert out.stats().dropped == {"invalid": 1}


def test_an_exception_without_a_text_is_counted(tmp_path: Path) -> None:
    """An exception of the application whose text raises is said by its type."""

    class Mute(Exception):  # noqa: N818 - it is no error of ours
        def __str__(self) -> str:
            raise RuntimeError("no")

    class Keys(dict[str, float]):
        def keys(self) -> Any:
            raise Mute

        def __iter__(self) -> Any:
            raise Mute

    with sink(tmp_path) as out:
        out.emitter.log(Keys(a=1.0))
        assert out.stats().dropped == {"invalid": 1}


class _Holder:
    """A value whose size nobody can see."""

    def __init__(self) -> None:
        self.text = "x" * 100_000


BULKY: dict[str, Callable[[], object]] = {
    "a text": lambda: "x" * 100_000,
    "bytes": lambda: b"x" * 100_000,
    "an integer": lambda: 1 << 800_000,
    "a list": lambda: ["x" * 100_000],
    "an object": _Holder,
}


@pytest.mark.parametrize("what", BULKY)
@pytest.mark.parametrize("place", ["score", "latency_ms", "predicted", "status", "scores", "segments"])
@pytest.mark.parametrize("row", [{"a": 1.0}, np.ones(1)], ids=["dict", "numpy"])
def test_the_cap_holds_for_every_fact(what: str, place: str, row: Any) -> None:
    """Without a broker, 100 kB a value in whatever place keep no more in memory than the cap and its tenth."""
    cap = 1 << 20
    emitter = Emitter(
        "d", "1", bootstrap=NOBODY, buffer_bytes=cap, features=("a",), linger_s=60.0, stall_s=600.0
    )
    emitter.log(row)
    deadline = time.monotonic() + 20
    while len(emitter._life.pool) < ids.POOL:  # ids made ahead are no event's
        assert time.monotonic() < deadline
        time.sleep(0.001)
    tracemalloc.start()
    try:
        for _ in range(60):
            value = BULKY[what]()
            more = {"scores": {"score": {"p": value}}, "segments": {"segments": {"s": value}}}
            emitter.log(row, **more.get(place, {place: value}))
        del value, more
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        emitter.close(0.0)
    assert held_bytes < 1.1 * cap
    assert emitter.stats().total.balance == 0


def test_an_interrupt_while_waiting_events_are_packed_reaches_the_caller() -> None:
    """Callers pack what waits: Ctrl-C in the main thread is no fault of an event; the sender's thread outlives it."""
    shapes = ShapeBook({})
    shape = shapes.find({"a": 1.0})
    rows = [(shape, shape.take({"a": 1.0}), 1.0, bytes(16), None, None, None, None, None, None)] * 2

    def interrupted(_chunk: object) -> object:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(chunks(rows, shapes, interrupted))
    causes: list[object] = []
    sender = threading.Thread(target=lambda: causes.extend(chunks(rows, shapes, interrupted)))
    sender.start()
    sender.join()
    assert len(causes) == len(rows)
