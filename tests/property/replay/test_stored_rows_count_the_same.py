"""Rows that were stored count as the batches did that they came in, whatever the columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from archiving import batch
from counting import profile_of
from examples import many
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.schemas.columns import Category, Gap, LabelColumns, NumericBlock, PredictionColumns
from driftline.streams.clickhouse.fact_columns import label_columns, placed_columns
from driftline.streams.clickhouse.label_rows import label_rows
from driftline.streams.clickhouse.prediction_rows import prediction_rows
from driftline.streams.clickhouse.source import Source
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.layout import Layout

SHAPES = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.sampled_from(["7", "8"])),
    min_size=1,
    max_size=5,
)


def stored(batches: list[PredictionColumns]) -> pa.RecordBatch:
    """The rows of `predictions`, as one block."""
    counts = [one.rows for one in batches]
    source = Source(0, list(range(len(batches))), [0] * len(batches), counts)
    return prediction_rows(batches, source).combine_chunks().to_batches()[0]


def made(seq: int, shape: tuple[bool, bool, bool, str]) -> PredictionColumns:
    """A batch with or without a wide column, a class, a status and latency."""
    wide, named, timed, version = shape
    features = [
        NumericBlock(("temp", "wind"), np.array([[0.1, np.nan, np.inf], [1, seq, np.nan]], np.float32))
    ]
    if wide:
        features.append(NumericBlock(("big",), np.array([[2**53 - 1, 0.1, -0.0]])))
    return batch(
        seq,
        model_version=version,
        features=features,
        gaps=[
            Gap("wind", np.array([False, False, True]), None),
            Gap("carrier", None, np.array([False, True, False])),
        ],
        predicted=Category("predicted", ("yes", "no"), np.array([1, -1, 0], np.int32)) if named else None,
        status=Category("status", ("ok", "error"), np.array([0, 1, -1], np.int32)) if timed else None,
        latency_ms=np.array([1.5, np.nan, 2], np.float32) if timed else None,
    )


@settings(max_examples=many(60), deadline=None)
@given(shapes=SHAPES)
def test_stored_rows_count_as_their_batches(shapes: list[tuple[bool, bool, bool, str]]) -> None:
    """Counters of stored rows equal (`==`) those of the batches, by model version, in any mixture of make-ups."""
    batches = [made(seq, shape) for seq, shape in enumerate(shapes)]
    layout = Layout(profile_of(made(0, (True, True, True, "7")), has_times=False))
    want: dict[str, Counters] = {}
    for one in batches:
        want.setdefault(one.model_version, Counters(layout)).fold(one)
    found: dict[str, Counters] = {}
    ids = []
    for offsets, cols in placed_columns(stored(batches), "churn"):
        found.setdefault(cols.model_version, Counters(layout)).fold(cols)
        ids += zip(offsets.tolist(), map(bytes, cols.ids), strict=True)
    assert found == want
    whole = [(offset, bytes(one)) for offset, batch in enumerate(batches) for one in batch.ids]
    assert sorted(ids) == sorted(whole)


def test_stored_labels_are_what_they_were() -> None:
    """Numbers, classes and withdrawals come back as they were stored."""
    cols = LabelColumns(
        "churn",
        3,
        None,
        np.arange(48, dtype=np.uint8).reshape(3, 16),
        None,
        np.array([5, 6, 7], np.int64),
        numbers=np.array([0.25, np.nan, np.nan]),
        classes=Category("classes", ("yes",), np.array([-1, 0, -1], np.int32)),
        withdrawn=np.array([False, False, True]),
    )
    rows = label_rows([cols], Source(0, [3], [0], [3])).combine_chunks().to_batches()[0]
    found = label_columns(rows, "churn")
    assert np.array_equal(found.ids, cols.ids)
    assert found.known_at_ms.tolist() == [5, 6, 7]
    assert np.array_equal(found.numbers, cols.numbers, equal_nan=True)
    assert found.classes is not None
    assert (found.classes.levels, found.classes.codes.tolist()) == (("yes",), [-1, 0, -1])
    assert found.withdrawn is not None
    assert found.withdrawn.tolist() == [False, False, True]
