"""Columns, matrices, data frames and Arrow tables: what they hold is what travels."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from emit_fakes import NOBODY, columns_of, levels_of, numbers_of, sink

from driftline.agents.emit import Emitter
from driftline.schemas.ids import id_of

AT = [dt.datetime(2024, 1, 1, hour, tzinfo=dt.UTC) for hour in (1, 2, 3)]
AT_MS = [1_704_070_800_000, 1_704_074_400_000, 1_704_078_000_000]
TABLE = {
    "number": [1.5, None, 3.5],
    "whole": [1, 2, None],
    "great": [2**24 + 1, 2, 3],
    "text": ["x", None, "y"],
    "flag": [True, False, None],
    "score": [0.25, 0.5, 0.75],
    "said": ["a", "b", "a"],
    "took": [1.0, 2.0, 3.0],
    "key": ["k1", "k2", "k3"],
    "tier": ["gold", "lead", "gold"],
}
FEATURES = {
    "number": [1.5, None, 3.5],
    "whole": [1, 2, None],
    "great": [2**24 + 1, 2, 3],
    "text": ["x", None, "y"],
    "flag": ["true", "false", None],
}
ROLES: dict[str, Any] = {
    "score": "score",
    "predicted": "said",
    "latency_ms": "took",
    "at": "when",
    "id": "key",
    "segments": ["tier"],
    "features": list(FEATURES),
}


def arrow_table() -> pa.Table:
    """The table as Arrow, its text dictionary-encoded, in two chunks."""
    table = pa.table({**TABLE, "when": pa.array(AT, pa.timestamp("us", "UTC"))})
    table = table.set_column(3, "text", table.column("text").dictionary_encode())
    return pa.concat_tables([table.slice(0, 1), table.slice(1)])


def pandas_frame() -> pd.DataFrame:
    """The table with nullable types, a category and a zone."""
    frame = pd.DataFrame(TABLE)
    frame["number"] = frame["number"].astype("Float64")
    frame["whole"] = frame["whole"].astype("Int64")
    frame["great"] = frame["great"].astype("Int64")
    frame["flag"] = frame["flag"].astype("boolean")
    frame["text"] = frame["text"].astype("category")
    frame["when"] = pd.Series(AT).dt.tz_convert("Europe/Amsterdam")
    return frame.set_index(pd.Index([7, 8, 9]))


def pandas_of_arrow() -> pd.DataFrame:
    """The table as pandas with Arrow's types, its times without a zone."""
    frame = pandas_frame()
    for name in ("whole", "great"):
        frame[name] = frame[name].astype(pd.ArrowDtype(pa.int64()))
    naive = frame["when"].dt.tz_convert("UTC").dt.tz_localize(None)
    frame["when"] = naive.astype(pd.ArrowDtype(pa.timestamp("us")))
    return frame


FRAMES = {
    "arrow table": arrow_table,
    "arrow batch": lambda: arrow_table().combine_chunks().to_batches()[0],
    "pandas": pandas_frame,
    "pandas with types of Arrow": pandas_of_arrow,
    "polars": lambda: pl.from_arrow(arrow_table()),
    "polars with its own types": lambda: pl.DataFrame({**TABLE, "when": AT}),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frame_travels_whole(tmp_path: Path, kind: str) -> None:
    """Every library's frame gives the same columns, gaps, classes, times and ids."""
    with sink(tmp_path) as out:
        ids = out.emitter.log_frame(FRAMES[kind](), **ROLES)
        batch = out.batch()
    assert columns_of(batch) == FEATURES
    assert numbers_of(batch.scores[0]) == [[0.25, 0.5, 0.75]]
    assert levels_of(batch.predicted) == ["a", "b", "a"]
    assert batch.latency_ms.tolist() == [1, 2, 3]
    assert batch.times_ms.tolist() == AT_MS
    assert (
        [bytes(key) for key in ids]
        == [bytes(key) for key in batch.ids]
        == [id_of(key) for key in TABLE["key"]]
    )
    assert batch.original_ids == TABLE["key"]
    assert levels_of(batch.segments[0]) == ["gold", "lead", "gold"]


def test_a_float_column_of_pandas_keeps_its_nan(tmp_path: Path) -> None:
    """In a numpy float column NaN is a value; in an object column a missing value is null."""
    frame = pd.DataFrame({"f": [1.0, np.nan], "o": pd.Series(["x", None], dtype=object)})
    with sink(tmp_path) as out:
        out.emitter.log_frame(frame)
        batch = out.batch()
    assert math.isnan(numbers_of(batch.features[0])[0][1])
    assert batch.gaps == []
    assert columns_of(batch)["o"] == ["x", None]


def test_categories_of_pandas_are_levels_as_they_print(tmp_path: Path) -> None:
    """An empty text is a level of its own; an interval, which is no level by itself, is what it prints as."""
    frame = pd.DataFrame({"text": pd.Categorical(["", "a"]), "cut": pd.cut([1, 3], [0, 2, 4])})
    with sink(tmp_path) as out:
        out.emitter.log_frame(frame)
        batch = out.batch()
    assert columns_of(batch) == {"text": ["", "a"], "cut": ["(0, 2]", "(2, 4]"]}


@pytest.mark.parametrize(
    ("frame", "roles"),
    [
        (3, {}),
        ({"a": [1]}, {}),
        (pd.DataFrame({"a": [1.0, 2.0]}), {"score": "b"}),
        (pa.table({"a": [1.0, 2.0], "t": [None, None]}), {"at": "t"}),
        (pa.table({"a": [1.0, 2.0], "": [1, 2]}), {}),
    ],
)
def test_a_bad_frame_is_counted_and_never_raises(tmp_path: Path, frame: object, roles: Any) -> None:
    """No frame, a column that is not there, rows without a time: invalid, with as many rows as there were."""
    with sink(tmp_path) as out:
        ids = out.emitter.log_frame(frame, **roles)
        stats = out.stats()
    assert stats.dropped == {"invalid": len(ids)}
    assert (stats.enqueued, stats.total.balance) == (len(ids), 0)


def test_columns_travel_and_may_change_afterwards(tmp_path: Path) -> None:
    """Arrays, lists and masked arrays of one length travel in batches of 500; the caller may change them at once."""
    rows = 1_203
    numbers = np.arange(rows, dtype=np.float64)
    texts = [f"c{at % 3}" for at in range(rows)]
    masked = np.ma.MaskedArray(np.arange(rows), mask=np.arange(rows) % 2 == 0)
    with sink(tmp_path) as out:
        ids = out.emitter.log_many(
            {"n": numbers, "t": texts, "m": masked, "u": np.array(texts)},
            numbers / rows,
            predicted=np.arange(rows) % 2,
            latency_ms=np.ones(rows),
            status="ok",
            segments={"s": texts},
            at=np.arange(rows),
        )
        numbers[:] = -1
        texts.clear()
        batches = out.batches()
    assert [batch.rows for batch in batches] == [500, 500, 203]
    found = [columns_of(batch) for batch in batches]
    assert [value for one in found for value in one["n"]] == list(range(rows))
    assert [value for one in found for value in one["t"]] == [f"c{at % 3}" for at in range(rows)]
    assert [value for one in found for value in one["u"]] == [f"c{at % 3}" for at in range(rows)]
    assert [value for one in found for value in one["m"]] == [at if at % 2 else None for at in range(rows)]
    assert [level for batch in batches for level in levels_of(batch.status)] == ["ok"] * rows
    assert [at for batch in batches for at in batch.times_ms.tolist()] == list(range(rows))
    assert np.array_equal(np.concatenate([batch.ids for batch in batches]), ids)


def test_a_matrix_travels(tmp_path: Path) -> None:
    """A two-dimensional array takes its names from the call or from the option; dropped columns stay here."""
    matrix = np.arange(12, dtype=np.float32).reshape(4, 3)
    with sink(tmp_path, features=("a", "b", "c"), columns={"b": "drop"}) as out:
        out.emitter.log_many(matrix)
        out.stats()
        out.emitter.log_many(matrix, names=("x", "y", "z"), at=dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
        first, second = out.batches()
    assert columns_of(first) == {"a": [0, 3, 6, 9], "c": [2, 5, 8, 11]}
    assert columns_of(second) == {"x": [0, 3, 6, 9], "y": [1, 4, 7, 10], "z": [2, 5, 8, 11]}
    assert set(second.times_ms.tolist()) == {1_704_067_200_000}


@pytest.mark.parametrize(
    ("columns", "facts"),
    [
        ({}, {}),
        ({"a": 3.0}, {}),
        ({"a": "text"}, {}),
        ({"a": [1, 2], "b": [1]}, {}),
        ({"a": [1, 2]}, {"predicted": ["x"]}),
        ({"a": [1, 2]}, {"ids": ["x"]}),
        ({"a": [1, 2]}, {"ids": np.zeros((1, 16), np.uint8)}),
        ({"a": [1, 2]}, {"at": [1]}),
        ({"a": [1, 2]}, {"segments": ["x", "y"]}),
        ({"a": [1, 2], 3: [1, 2]}, {}),
        (np.zeros((2, 2)), {}),
        (np.zeros((2, 2)), {"names": ["a"]}),
        (np.zeros(2), {"names": ["a", "b"]}),
    ],
)
def test_bad_columns_are_counted_and_never_raise(tmp_path: Path, columns: Any, facts: Any) -> None:
    """What does not fit together is dropped whole as invalid; the books know how many rows it had."""
    with sink(tmp_path) as out:
        ids = out.emitter.log_many(columns, **facts)
        stats = out.stats()
    assert ids.shape == (stats.enqueued, 16)
    assert stats.dropped == {"invalid": stats.enqueued}
    assert stats.enqueued >= 1


def test_a_table_waits_for_room(tmp_path: Path) -> None:
    """A table larger than the buffer goes through it part by part when the caller waits; without waiting it is cut."""
    table = pa.table({"a": np.arange(50_000, dtype=np.float64)})
    with sink(tmp_path, buffer_events=2_000) as out:
        out.emitter.log_frame(table, wait_s=60.0)
        assert out.stats().ledger()["spooled"] == 50_000
    with Emitter("d", "1", bootstrap=NOBODY, buffer_events=2_000) as emitter:
        emitter.log_frame(table, wait_s=0.0)
        stats = emitter.stats()
        assert stats.dropped == {"buffer_full": 48_000}
        assert stats.in_flight == 2_000
        emitter.close(0.1)
