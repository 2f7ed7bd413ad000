"""What many-row calls are given may raise whenever it is touched: it costs its rows, and nothing reaches the caller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emit_fakes import columns_of, sink

from driftline.agents.emit import bulk


class _Raising(list[float]):
    """A column that raises when it is asked for its length, or for whatever else `what` says."""

    def __init__(self, what: type[BaseException]) -> None:
        super().__init__([1.0])
        self._what = what

    def __len__(self) -> int:
        raise self._what("no length")

    def __iter__(self) -> Any:
        raise self._what("no values")


class _Mute(Exception):  # noqa: N818 - it is no error of ours
    """An exception whose text ends the process."""

    def __str__(self) -> str:
        raise SystemExit(3)


class _Endless(list[float]):
    """A column that says it has more rows than there can be."""

    def __len__(self) -> int:
        return 2**62


def _broken_clock() -> float:
    raise RuntimeError("no time")


@pytest.mark.parametrize("what", [RuntimeError, SystemExit, _Mute, TypeError])
@pytest.mark.parametrize("call", ["columns", "columns in a dict", "frame", "ids", "labels", "known_at"])
def test_an_argument_that_raises_never_reaches_the_application(
    tmp_path: Path, call: str, what: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever an argument raises when it is asked for its length, its rows are `invalid`, said once a minute."""
    with sink(tmp_path) as out, caplog.at_level("WARNING", "driftline.emit"):
        for _ in range(2):
            bad: Any = _Raising(what)
            if call == "columns":
                assert out.emitter.log_many(bad).shape == (1, 16)
            elif call == "columns in a dict":
                assert out.emitter.log_many({"a": bad}).shape == (1, 16)
            elif call == "frame":
                assert out.emitter.log_frame(bad).shape == (1, 16)
            elif call == "ids":
                out.emitter.label_many(bad, [1.0])
            elif call == "labels":
                out.emitter.label_many(["a"], bad)
            else:
                out.emitter.label_many(["a"], [1.0], known_at=bad)
        stats = out.stats()
    assert stats.dropped == {"invalid": 2}
    assert stats.total.balance == 0
    assert len([record for record in caplog.records if "invalid" in record.message]) == 1


def test_a_length_beyond_all_rows_is_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that claims 2^62 rows is refused, and as many ids are not made."""
    monkeypatch.setattr(bulk, "MOST_REFUSED", 1_000)
    with sink(tmp_path) as out:
        assert out.emitter.log_many({"a": 1.0, "b": _Endless()}).shape == (1, 16)
        assert out.emitter.log_many({"a": _Endless(), "b": [1.0]}).shape == (1_000, 16)
        assert out.stats().dropped == {"invalid": 1_001}


@pytest.mark.parametrize("wait_s", [None, "long", float("nan")])
def test_a_wait_that_is_none_costs_the_rows_at_most(tmp_path: Path, wait_s: Any) -> None:
    """A wait of a wrong type is `invalid`; a NaN waits not at all, though the buffer is full."""
    with sink(tmp_path, buffer_events=10) as out:
        out.emitter.log_many({"a": np.zeros(100)}, wait_s=wait_s)
        stats = out.stats()
    assert stats.total.enqueued == 100
    assert stats.total.balance == 0


def test_a_clock_that_raises_costs_the_rows(tmp_path: Path) -> None:
    """Without a time rows are `invalid`, and every call still returns ids."""
    with sink(tmp_path) as out:
        object.__setattr__(out.emitter._intake, "_clock", _broken_clock)
        out.emitter._clock = _broken_clock
        out.emitter._life.pool.clear()
        assert len(out.emitter.log({"a": 1.0})) == 16
        assert out.emitter.log_many({"a": [1.0, 2.0]}).shape == (2, 16)
        assert out.stats().dropped == {"invalid": 3}


@pytest.mark.parametrize("what", [RuntimeError, SystemExit, _Mute])
def test_a_value_that_raises_when_it_is_measured_costs_its_event(
    tmp_path: Path, what: type[BaseException]
) -> None:
    """One event whose value has no length is `invalid`; nothing reaches the application."""
    with sink(tmp_path) as out:
        for value in ("x", _Raising(what), "y"):
            assert len(out.emitter.log({"a": value})) == 16
        assert columns_of(out.batch()) == {"a": ["x", "y"]}
        assert out.stats().dropped == {"invalid": 1}


def test_a_row_of_numbers_needs_no_clock_to_return(tmp_path: Path) -> None:
    """A numpy row without a time is `invalid`."""
    with sink(tmp_path, features=("a",)) as out:
        out.emitter._clock = _broken_clock
        object.__setattr__(out.emitter._intake, "_clock", _broken_clock)
        assert len(out.emitter.log(np.ones(1))) == 16
        assert out.stats().dropped == {"invalid": 1}
