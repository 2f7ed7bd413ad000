"""Values of a table survive to the columns that travel: widths, nulls, levels, order."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from driftline.deploy.tables.order import ordered_batches
from driftline.deploy.tables.roles import ColumnPlan, TablePlan
from driftline.deploy.tables.rows import columns_of, table_rows
from driftline.deploy.tables.source import open_table
from driftline.deploy.tables.values import category, numbers

FLOATS = st.one_of(st.none(), st.floats(width=64))
WORDS = st.one_of(st.none(), st.text(max_size=6))


@given(values=st.lists(FLOATS, max_size=40))
def test_numbers_keep_every_bit_and_tell_null_from_nan(values: list[float | None]) -> None:
    """A float64 column travels bit for bit; only nulls are gaps, a NaN of the table is a value."""
    found, nulls = numbers(pa.array(values, pa.float64()))
    expected = np.array([np.nan if value is None else value for value in values], np.float64)
    assert found.tobytes() == expected.tobytes() or np.array_equal(found, expected, equal_nan=True)
    assert (nulls.tolist() if nulls is not None else [False] * len(values)) == [
        value is None for value in values
    ]


@given(values=st.lists(st.one_of(st.none(), st.integers(-(2**53), 2**53)), max_size=40))
def test_whole_numbers_up_to_2_to_53_are_exact(values: list[int | None]) -> None:
    """No whole number within float64's reach is changed."""
    found, _ = numbers(pa.array(values, pa.int64()))
    assert [None if np.isnan(one) else int(one) for one in found] == values


@pytest.mark.parametrize("encoded", [True, False])
@given(values=st.lists(WORDS, max_size=40))
def test_levels_and_codes_give_the_texts_back(*, encoded: bool, values: list[str | None]) -> None:
    """Texts, dictionary-encoded or not, are given back by levels and codes; null is -1."""
    column = pa.array(values, pa.string())
    found = category(column.dictionary_encode() if encoded else column, "c")
    assert [None if code < 0 else found.levels[code] for code in found.codes] == values
    assert len(set(found.levels)) == len(found.levels)


@given(values=st.lists(st.floats(width=64, allow_nan=False), min_size=1, max_size=40))
def test_narrow_columns_are_rounded_as_numpy_rounds(values: list[float]) -> None:
    """What is not declared wide travels as numpy's own float32 of it."""
    plan = TablePlan((ColumnPlan("a", "feature", "number"), ColumnPlan("b", "feature", "number")))
    batch = pa.RecordBatch.from_pydict({"a": values, "b": values})
    blocks = {block.names: block.values for block in columns_of(batch, plan, "d", "1", {"b"}).features}
    with np.errstate(over="ignore"):
        assert blocks["a",].tobytes() == np.array(values).astype(np.float32).tobytes()
    assert blocks["b",].tobytes() == np.array(values, np.float64).tobytes()


@settings(max_examples=30)
@given(times=st.lists(st.integers(0, 20), min_size=1, max_size=200))
def test_rows_come_in_order_of_time_and_ties_in_order_of_the_file(times: list[int]) -> None:
    """Sorting by event time is stable, and loses and doubles no row."""
    plan = TablePlan((ColumnPlan("t", "timestamp", "s"), ColumnPlan("row", "feature", "number")))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.parquet"
        pq.write_table(pa.table({"t": times, "row": list(range(len(times)))}), path)
        source = open_table(path)
        read = pa.Table.from_batches(ordered_batches(source, plan)).to_pydict()
        batches = list(table_rows(source, plan, "d", "1", set()))
    assert read["row"] == sorted(range(len(times)), key=times.__getitem__)
    assert np.concatenate([one.times_ms for one in batches]).tolist() == [t * 1000 for t in sorted(times)]
