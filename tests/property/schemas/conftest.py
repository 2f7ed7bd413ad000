"""Any batch there can be, and what it means that two are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from driftline.schemas.columns import (
    Category,
    Gap,
    Identity,
    LabelColumns,
    NumericBlock,
    PredictionColumns,
)

Arrays = Any
NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
TIMES = st.integers(0, 7_258_118_399_999)
WIDTHS = ((np.float32, 32), (np.float64, 64))


def category_of(name: str, rows: int) -> st.SearchStrategy[Category]:
    """Draw a dictionary-coded column, levels that no row has and no level at all included."""

    def with_levels(levels: list[str]) -> st.SearchStrategy[Category]:
        codes = hnp.arrays(np.int32, rows, elements=st.integers(-1, len(levels) - 1))
        return codes.map(lambda drawn: Category(name, tuple(levels), drawn))

    return st.lists(TEXTS, unique=True, max_size=5).flatmap(with_levels)


@st.composite
def blocks_of(draw: st.DrawFn, names: list[str], rows: int) -> list[NumericBlock]:
    """Spread names over blocks of both widths, NaN of any payload and infinities included."""
    cut = draw(st.integers(0, len(names)))
    found = []
    for part, (dtype, width) in zip((names[:cut], names[cut:]), WIDTHS, strict=True):
        if part:
            elements = st.floats(width=width)
            values = draw(hnp.arrays(dtype, (len(part), rows), elements=elements))
            found.append(NumericBlock(tuple(part), values))
    return found


@st.composite
def gaps_of(draw: st.DrawFn, columns: dict[str, Arrays], rows: int) -> list[Gap]:
    """Mark rows of some columns null or wrong, and empty the values under the marks."""
    gaps = []
    for name in draw(st.lists(st.sampled_from(sorted(columns)), unique=True)) if columns else []:
        kinds = draw(hnp.arrays(np.int8, rows, elements=st.integers(0, 2)))
        column = columns[name]
        column[kinds > 0] = np.nan if column.dtype.kind == "f" else -1
        marks = [mask if mask.any() else None for mask in (kinds == 1, kinds == 2)]
        gaps.append(Gap(name, *marks))
    return gaps


IDENTITIES = st.none() | st.builds(Identity, NAMES, st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))


def originals_of(rows: int) -> st.SearchStrategy[list[str | None] | None]:
    """Draw the application's own ids, or none."""
    return st.none() | st.lists(st.none() | NAMES, min_size=rows, max_size=rows)


@st.composite
def prediction_batches(draw: st.DrawFn) -> PredictionColumns:
    """Draw a batch of 1 to 20 predictions."""
    rows = draw(st.integers(1, 20))
    names = draw(st.lists(NAMES, unique=True, max_size=6))
    cut = draw(st.integers(0, len(names)))
    features = draw(blocks_of(names[:cut], rows))
    categories = [draw(category_of(name, rows)) for name in names[cut:]]
    columns: dict[str, Arrays] = {each.name: each.codes for each in categories}
    for block in features:
        columns.update(zip(block.names, block.values, strict=True))
    return PredictionColumns(
        deployment=draw(NAMES.filter(lambda name: "/" not in name)),
        model_version=draw(NAMES),
        slot=draw(NAMES),
        rows=rows,
        identity=draw(IDENTITIES),
        ids=draw(hnp.arrays(np.uint8, (rows, 16))),
        original_ids=draw(originals_of(rows)),
        times_ms=draw(hnp.arrays(np.int64, rows, elements=TIMES)),
        features=features,
        categories=categories,
        gaps=draw(gaps_of(columns, rows)),
        scores=draw(st.lists(NAMES, unique=True, max_size=3).flatmap(lambda each: blocks_of(each, rows))),
        predicted=draw(st.none() | category_of("predicted", rows)),
        segments=[draw(category_of(name, rows)) for name in draw(st.lists(NAMES, unique=True, max_size=2))],
        latency_ms=draw(st.none() | hnp.arrays(np.float32, rows, elements=st.floats(width=32))),
        status=draw(st.none() | category_of("status", rows)),
        counters_only=tuple(draw(st.lists(NAMES, unique=True, max_size=2))),
    )


@st.composite
def label_batches(draw: st.DrawFn) -> LabelColumns:
    """Draw a batch of 1 to 20 labels, each a number, a class or a withdrawal."""
    rows = draw(st.integers(1, 20))
    kinds = draw(hnp.arrays(np.int8, rows, elements=st.integers(0, 2)))
    numbers = draw(hnp.arrays(np.float64, rows, elements=st.floats(allow_nan=False)))
    levels = draw(st.lists(TEXTS, unique=True, min_size=1, max_size=5))
    codes = draw(hnp.arrays(np.int32, rows, elements=st.integers(0, len(levels) - 1)))
    return LabelColumns(
        deployment=draw(NAMES.filter(lambda name: "/" not in name)),
        rows=rows,
        identity=draw(IDENTITIES),
        ids=draw(hnp.arrays(np.uint8, (rows, 16))),
        original_ids=draw(originals_of(rows)),
        known_at_ms=draw(hnp.arrays(np.int64, rows, elements=TIMES)),
        numbers=np.where(kinds == 0, numbers, np.nan) if (kinds == 0).any() else None,
        classes=Category("classes", tuple(levels), np.where(kinds == 1, codes, -1).astype(np.int32))
        if (kinds == 1).any()
        else None,
        withdrawn=kinds == 2 if (kinds == 2).any() else None,
    )


def same(one: Any, two: Any) -> bool:
    """Whether two columns, batches or lists of them hold equal values of equal types; NaN equals NaN."""
    if isinstance(one, np.ndarray):
        if not isinstance(two, np.ndarray) or (one.dtype, one.shape) != (two.dtype, two.shape):
            return False
        return bool(np.array_equal(one, two, equal_nan=one.dtype.kind == "f"))
    if type(one) is not type(two):
        return False
    if isinstance(one, list):
        return len(one) == len(two) and all(map(same, one, two))
    if hasattr(one, "__slots__") and not isinstance(one, str):
        return all(same(getattr(one, name), getattr(two, name)) for name in one.__slots__)
    return bool(one == two)


@pytest.fixture(scope="session")
def strategies() -> dict[str, st.SearchStrategy[Any]]:
    """Return the strategies of whole batches."""
    return {"predictions": prediction_batches(), "labels": label_batches()}


@pytest.fixture(scope="session", name="same")
def same_columns() -> Callable[[object, object], bool]:
    """Return the comparison."""
    return same
