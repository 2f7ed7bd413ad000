"""What the emitter makes of a table is what a profile is built from: else ties break."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from driftline.agents.emit import frames
from driftline.agents.emit.assemble import to_columns
from driftline.agents.emit.kinds import Kinds
from driftline.agents.emit.options import checked
from driftline.deploy.tables.roles import ColumnPlan, TablePlan
from driftline.deploy.tables.rows import columns_of
from driftline.deploy.tables.send import frame_of
from driftline.schemas.columns import PredictionColumns

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "time": st.integers(0, 1_600_000_000),
            "id": st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=5),
            "number": st.one_of(st.none(), st.floats(width=64)),
            "wide": st.one_of(st.none(), st.integers(-(2**50), 2**50)),
            "whole": st.one_of(st.none(), st.integers(-1000, 1000)),
            "flag": st.one_of(st.none(), st.booleans()),
            "word": st.one_of(st.none(), st.text(max_size=4)),
            "share": st.one_of(st.none(), st.floats(0, 1)),
            "ratio": st.one_of(st.none(), st.floats(-9, 9, width=16)),
            "score": st.one_of(st.none(), st.floats(0, 1)),
            "class": st.one_of(st.none(), st.integers(0, 3)),
            "secret": st.one_of(st.none(), st.integers(0, 9)),
        }
    ),
    min_size=1,
    max_size=25,
)
SCHEMA = pa.schema(
    {
        "time": pa.int64(),
        "id": pa.string(),
        "number": pa.float64(),
        "wide": pa.int64(),
        "whole": pa.int16(),
        "flag": pa.bool_(),
        "word": pa.string(),
        "share": pa.float32(),
        "ratio": pa.float64(),
        "score": pa.float64(),
        "class": pa.int8(),
        "secret": pa.int32(),
    }
)
PLAN = TablePlan(
    (
        ColumnPlan("time", "timestamp", "s"),
        ColumnPlan("id", "id"),
        ColumnPlan("number", "feature", "number"),
        ColumnPlan("wide", "feature", "number"),
        ColumnPlan("whole", "feature", "number"),
        ColumnPlan("flag", "feature", "category"),
        ColumnPlan("word", "feature", "category", segment=True),
        ColumnPlan("share", "feature", "number"),
        # A number that is declared a category: its levels are texts.
        ColumnPlan("ratio", "feature", "category"),
        ColumnPlan("score", "score", "number"),
        ColumnPlan("class", "predicted"),
        ColumnPlan("secret", "feature", "category", policy="hashed"),
    )
)


@given(rows=ROWS)
def test_both_read_a_table_alike(rows: list[dict[str, object]]) -> None:
    """Numbers bit for bit, nulls, levels, segments, times: what is sent is what was counted."""
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    counted = columns_of(batch, PLAN, "d", "1", {"wide"})
    frame, roles = frame_of(batch, PLAN, 600_000)
    options = checked(
        "d",
        "1",
        {
            "float64": {"wide"},
            "categorical": {"flag", "word", "ratio", "secret"},
            "columns": {"secret": "hashed"},
        },
    )
    chunk = frames.source_of(frame, roles, options, lambda: 0).cut(0, len(rows))
    sent = to_columns(chunk, options, Kinds(options))
    assert plain(sent) == plain(counted)


def plain(cols: PredictionColumns) -> dict[str, object]:
    """Give columns by name as lists that compare, whatever the order of blocks and levels."""
    found: dict[str, object] = {"times": cols.times_ms.tolist(), "ids": cols.original_ids}
    for role, blocks in (("feature", cols.features), ("score", cols.scores)):
        for block in blocks:
            for name, values in zip(block.names, block.values, strict=True):
                found[f"{role} {name}"] = (str(values.dtype), list(map(shown, values.tolist())))
    named = {"category": cols.categories, "segment": cols.segments, "class": [cols.predicted]}
    for role, categories in named.items():
        for one in categories:
            assert one is not None
            found[f"{role} {one.name}"] = [
                None if code < 0 else one.levels[code] for code in one.codes.tolist()
            ]
    for gap in cols.gaps:
        assert gap.wrong is None
        if gap.nulls is not None and gap.nulls.any():
            found[f"gap {gap.name}"] = gap.nulls.tolist()
    return found


def shown(value: float) -> object:
    """Give a number that compares: NaN is NaN, and zeros have signs."""
    return "nan" if math.isnan(value) else (value, math.copysign(1, value))


def test_numpy_is_used_as_the_judge() -> None:
    """The comparison above tells -0.0 from 0.0 and knows NaN."""
    assert shown(np.nan) == shown(float("nan"))
    assert shown(0.0) != shown(-0.0)
