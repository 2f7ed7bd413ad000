"""What an application may not log costs that event alone: counted by reason, said once, never raised."""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from emit_fakes import columns_of, sink

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
