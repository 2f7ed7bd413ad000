"""Columns into Arrow rows: whatever a batch holds, each row says what plain Python reads in the batch."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from driftline.schemas.columns import Category, Gap, LabelColumns, NumericBlock, PredictionColumns
from driftline.streams.clickhouse.label_rows import label_rows
from driftline.streams.clickhouse.prediction_rows import lookup_rows, prediction_rows
from driftline.streams.clickhouse.source import Source

TEXTS = st.text("abcé\"'\\", max_size=3)


@st.composite
def categories(draw: st.DrawFn, name: str, rows: int) -> Category:
    """A text column; levels may stand there without a row."""
    levels = tuple(draw(st.lists(TEXTS, unique=True, max_size=3)))
    codes = draw(st.lists(st.integers(-1, len(levels) - 1), min_size=rows, max_size=rows))
    return Category(name, levels, np.array(codes, np.int32))


@st.composite
def blocks(draw: st.DrawFn, prefix: str, dtype: str, rows: int) -> list[NumericBlock]:
    """At most one block of this width."""
    width = draw(st.integers(0, 3))
    values = draw(
        st.lists(st.floats(width=32) | st.just(float("nan")), min_size=width * rows, max_size=width * rows)
    )
    names = tuple(f"{prefix}{at}" for at in range(width))
    return [NumericBlock(names, np.array(values, dtype).reshape(width, rows))] if width else []


@st.composite
def batches(draw: st.DrawFn) -> PredictionColumns:
    """A batch with any mix of columns."""
    rows = draw(st.integers(1, 4))
    features = draw(blocks("f", "float32", rows)) + draw(blocks("d", "float64", rows))
    texts = [draw(categories(f"c{at}", rows)) for at in range(draw(st.integers(0, 2)))]
    gaps = []
    for name in [name for block in features for name in block.names] + [column.name for column in texts]:
        if draw(st.booleans()):
            kinds = np.array(draw(st.lists(st.integers(0, 2), min_size=rows, max_size=rows)))
            gaps.append(Gap(name, kinds == 1, kinds == 2 if draw(st.booleans()) else None))
    every = [name for block in features for name in block.names] + [column.name for column in texts]
    return PredictionColumns(
        deployment=draw(st.sampled_from(["a", "b"])),
        model_version=draw(TEXTS),
        slot="champion",
        rows=rows,
        identity=None,
        ids=np.array(
            draw(st.lists(st.integers(0, 255), min_size=16 * rows, max_size=16 * rows)), np.uint8
        ).reshape(rows, 16),
        original_ids=draw(st.none() | st.lists(st.none() | TEXTS, min_size=rows, max_size=rows)),
        times_ms=np.array(draw(st.lists(st.integers(0, 4 * 10**12), min_size=rows, max_size=rows)), np.int64),
        features=features,
        categories=texts,
        gaps=gaps,
        scores=draw(blocks("s", "float32", rows)) + draw(blocks("t", "float64", rows)),
        predicted=draw(st.none() | categories("predicted", rows)),
        segments=[draw(categories(f"g{at}", rows)) for at in range(draw(st.integers(0, 2)))],
        latency_ms=None if draw(st.booleans()) else np.arange(rows, dtype=np.float32),
        status=draw(st.none() | categories("status", rows)),
        counters_only=tuple(draw(st.lists(st.sampled_from(every), unique=True))) if every else (),
    )


def said(column: Category | None, row: int) -> str | None:
    """The text of one row."""
    return None if column is None or column.codes[row] < 0 else column.levels[column.codes[row]]


def bits(values: list[float], dtype: str) -> bytes:
    """The exact bits, NaN included."""
    return np.array(values, dtype).tobytes()


def expected(batch: PredictionColumns, row: int) -> dict[str, Any]:
    """One row, read value by value."""
    hidden = set(batch.counters_only)
    numbers: dict[str, list[tuple[str, float]]] = {"float32": [], "float64": []}
    for block in batch.features:
        for name, values in zip(block.names, block.values, strict=True):
            if name not in hidden:
                numbers[str(block.values.dtype)].append((name, float(values[row])))
    texts = [column for column in batch.categories if column.name not in hidden]
    gaps = [gap for gap in batch.gaps if gap.name not in hidden]
    scores = [
        (n, float(v[row])) for block in batch.scores for n, v in zip(block.names, block.values, strict=True)
    ]
    return {
        "deployment": batch.deployment,
        "model_version": batch.model_version,
        "prediction_id": batch.ids[row].tobytes(),
        "original_id": None if batch.original_ids is None else batch.original_ids[row],
        "ts": int(batch.times_ms[row]),
        "float_names": [name for name, _ in numbers["float32"]],
        "floats": bits([value for _, value in numbers["float32"]], "float32"),
        "double_names": [name for name, _ in numbers["float64"]],
        "doubles": bits([value for _, value in numbers["float64"]], "float64"),
        "category_names": [column.name for column in texts],
        "categories": [said(column, row) for column in texts],
        "nulls": [gap.name for gap in gaps if gap.nulls is not None and gap.nulls[row]],
        "wrong": [gap.name for gap in gaps if gap.wrong is not None and gap.wrong[row]],
        "score_names": [name for name, _ in scores],
        "scores": bits([value for _, value in scores], "float64"),
        "predicted": said(batch.predicted, row),
        "segment_names": [column.name for column in batch.segments],
        "segments": [said(column, row) for column in batch.segments],
        "latency_ms": None if batch.latency_ms is None else float(batch.latency_ms[row]),
        "status": said(batch.status, row),
    }


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """One Arrow row in the same words."""
    lists = ("float_names", "double_names", "category_names", "score_names", "segment_names")
    return {
        **row,
        "ts": round(row["ts"].timestamp() * 1000),
        **{name: json.loads(row[name]) for name in lists},
        "floats": bits(row["floats"], "float32"),
        "doubles": bits(row["doubles"], "float64"),
        "scores": bits(row["scores"], "float64"),
    }


@given(st.lists(batches(), max_size=4))
def test_rows_say_what_the_batches_say(given_batches: list[PredictionColumns]) -> None:
    """Every column of every row, whatever the batches beside it hold; columns that must not be kept are not there."""
    counts = [batch.rows for batch in given_batches]
    source = Source(3, range(10, 10 + len(counts)), [1_000] * len(counts), counts)
    rows = [plain(row) for row in prediction_rows(given_batches, source).to_pylist()]
    wanted = [expected(batch, row) for batch in given_batches for row in range(batch.rows)]
    assert len(rows) == len(wanted)
    for found, want in zip(rows, wanted, strict=True):
        assert {name: found[name] for name in want} == want
    offsets = [10 + at for at, count in enumerate(counts) for _ in range(count)]
    assert [row["src_offset"] for row in rows] == offsets
    ids = [row["prediction_id"] for row in lookup_rows(given_batches, source).to_pylist()]
    assert ids == [want["prediction_id"] for want in wanted]


@given(
    st.lists(st.lists(st.sampled_from(["number", "class", "withdrawn"]), min_size=1, max_size=4), max_size=3)
)
def test_labels_say_what_the_batches_say(kinds: list[list[str]]) -> None:
    """A number, a class or a withdrawal a row, null where it is another."""
    given_batches = []
    for batch in kinds:
        rows = len(batch)
        given_batches.append(
            LabelColumns(
                deployment="a",
                rows=rows,
                identity=None,
                ids=np.zeros((rows, 16), np.uint8),
                original_ids=None,
                known_at_ms=np.arange(rows, dtype=np.int64),
                numbers=np.array([2.5 if kind == "number" else np.nan for kind in batch]),
                classes=Category(
                    "class", ("yes",), np.array([0 if kind == "class" else -1 for kind in batch], np.int32)
                ),
                withdrawn=np.array([kind == "withdrawn" for kind in batch]) if "withdrawn" in batch else None,
            )
        )
    source = Source(0, range(len(kinds)), [0] * len(kinds), [len(batch) for batch in kinds])
    rows = label_rows(given_batches, source).to_pylist()
    flat = [(kind, at) for batch in kinds for at, kind in enumerate(batch)]
    assert [(row["number"], row["class"], row["withdrawn"], row["src_row"]) for row in rows] == [
        (2.5 if kind == "number" else None, "yes" if kind == "class" else None, kind == "withdrawn", at)
        for kind, at in flat
    ]
