"""What an application may not tell as a label costs that label alone: counted by reason, said once, never raised."""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emit_fakes import sink

BAD: dict[str, tuple[object, object, dict[str, Any]]] = {
    "no value": ("x", None, {}),
    "a list": ("x", [1.0], {}),
    "a number that is none": ("x", float("nan"), {}),
    "numpy's time that is none": ("x", np.datetime64("NaT"), {}),
    "a value and withdrawn": ("x", 1.0, {"withdrawn": True}),
    "an id of five bytes": (b"12345", 1.0, {}),
    "an id of seventeen bytes": (bytes(17), 1.0, {}),
    "an id that is empty": ("", 1.0, {}),
    "an id that is too long": ("x" * 1_001, 1.0, {}),
    "an id that is a float": (1.5, 1.0, {}),
    "a time without a zone": ("x", 1.0, {"known_at": dt.datetime(2024, 1, 1)}),  # noqa: DTZ001 - that is the point
    "a time before 1970": ("x", 1.0, {"known_at": -1}),
    "a time after 2199": ("x", 1.0, {"known_at": 8_000_000_000_000}),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_label_is_counted_and_never_raises(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is dropped as `invalid`, the log says the cause once, and the labels around it travel."""
    given, value, more = BAD[what]
    with sink(tmp_path) as out, caplog.at_level(logging.WARNING, "driftline.emit"):
        out.emitter.label("before", 1.0)
        for _ in range(3):
            out.emitter.label(given, value, **more)  # type: ignore[arg-type]
        out.emitter.label("after", "yes")
        stats = out.stats()
        batches = out.batches(labels=True)
    assert [name for cols in batches for name in cols.original_ids] == ["before", "after"]
    assert stats.dropped == {"invalid": 3}
    assert len([record for record in caplog.records if "invalid" in record.message]) == 1


def test_ids_and_values_of_different_lengths_are_counted_by_the_ids(tmp_path: Path) -> None:
    """Nobody can say which value belongs to which id, so none is taken."""
    with sink(tmp_path) as out:
        out.emitter.label_many(["a", "b", "c"], [1.0, 2.0])
        assert out.stats().dropped == {"invalid": 3}
