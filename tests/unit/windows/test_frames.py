"""Frames as columns of one batch: what of a person's table cannot be compared."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from driftline.streams.stats import compare
from driftline.streams.windows.frames import FrameError, batch_of

TWICE = pa.table([pa.array([1.0, 2.0]), pa.array([3.0, 4.0]), pa.array([5.0, 6.0])], names=["a", "a", "b"])


def test_two_columns_of_one_name_are_refused() -> None:
    """A table with two columns of one name is answered with that name and what to do."""
    with pytest.raises(FrameError, match="the table has 2 columns named 'a': rename all but one"):
        compare(TWICE, TWICE)


def test_two_columns_of_one_name_do_no_harm_unused() -> None:
    """Columns that share a name and take no part do not keep the others from being compared."""
    assert batch_of(TWICE, ["b"]).rows == 2


X = np.random.default_rng(0).normal(size=300)
NO_COLUMNS: dict[str, tuple[Any, str]] = {
    "two dimensions": (np.zeros((300, 2)), r"column 'x' has the shape \(300, 2\): give one value a row"),
    "no dimension": (np.float64(1.0), "column 'x' is of type float64: give an array or a list"),
    "an array of no dimension": (np.array(1.0), "column 'x' "),
    "a number": (3, "column 'x' is of type int: give an array or a list, one value a row"),
    "a text": ("high", "column 'x' is of type str: give an array or a list"),
    "nothing": (None, "column 'x' is of type NoneType"),
    "a set": ({1.0}, "column 'x' is of type set"),
    "a generator": ((one for one in X), "column 'x' is of type generator"),
    "lists of several lengths": ([[1.0], [2.0, 3.0]], "column 'x' is no array of one value a row"),
    "lists of Arrow": (pa.array([[1.0]] * 300), "column 'x' holds values of type ndarray: give the parts"),
    "structs of Arrow": (pa.array([{"a": 1}] * 300), "column 'x' holds values of type dict: give the parts"),
    "records": (np.zeros(300, "i4,i4"), "column 'x' holds values of type"),
    "complex numbers": (np.zeros(300, complex), "column 'x' holds values of type complex128"),
}


@pytest.mark.parametrize("side", ["reference", "current"])
@pytest.mark.parametrize("what", NO_COLUMNS)
def test_what_is_no_column_is_named(what: str, side: str) -> None:
    """A column without one plain value a row is one sentence that names it, whichever table has it."""
    column, sentence = NO_COLUMNS[what]
    tables = {"reference": {"x": X}, "current": {"x": X}} | {side: {"x": column}}
    with pytest.raises(FrameError, match=sentence):
        compare(tables["reference"], tables["current"])


def test_a_table_with_no_column_of_the_other_is_refused() -> None:
    """One column that is gone is judged as missing; when all are gone the tables have nothing to do with each other."""
    with pytest.raises(FrameError, match="the current table has no column of 'x': it has y"):
        compare({"x": X}, {"y": X})
    with pytest.raises(FrameError, match="the table has no column 't': it has x"):
        compare({"x": X, "t": np.arange(300)}, {"x": X}, timestamps="t")
    found = compare({"x": X, "y": X}, {"x": X})
    assert found.figure("y", "missing").verdict is not None


@pytest.mark.parametrize("named", [{"features": "x"}, {"features": ["x"], "scores": "x"}])
def test_a_text_is_no_list_of_names(named: dict[str, Any]) -> None:
    """A name where a list of names belongs is not read letter by letter."""
    with pytest.raises(FrameError, match="is the text 'x': give a list of names"):
        compare({"x": X}, {"x": X}, **named)


def test_a_column_has_one_part() -> None:
    """A column named twice is refused by its name."""
    with pytest.raises(FrameError, match="column 'x' is named 2 times: give each column one part"):
        compare({"x": X}, {"x": X}, features=["x"], scores=["x"])


def test_a_data_frame_may_have_numbers_for_names() -> None:
    """Pandas numbers columns that were given no names."""
    assert compare(pd.DataFrame({0: X}), pd.DataFrame({0: X})).figure("0").value == 0


def test_a_mask_is_null() -> None:
    """What a masked array hides is no value."""
    hidden = np.ma.array(X, mask=np.arange(300) % 2 == 0)
    assert compare({"x": X}, {"x": hidden}).figure("x", "nulls").value == 0.5


@pytest.mark.parametrize("column", [np.full(300, np.nan), [None] * 300, np.full(300, np.inf)])
def test_a_reference_without_a_number_has_no_distance(column: Any) -> None:
    """Where either side has no number every distance is undefined, W1 too: null, not 0."""
    for old, new in ((column, X), (X, column), (column, column)):
        found = compare({"x": old}, {"x": new})
        assert {found.figure("x", name).value for name in ("psi", "js", "ks", "ks_upper", "w1_sigma")} == {
            None
        }


def test_objects_are_what_the_emitter_makes_of_them() -> None:
    """Dates are seconds since 1970 and times of day ISO texts, as in events of declared columns; bytes are no level."""
    day = dt.date(2024, 2, 29)
    columns: dict[str, list[Any]] = {
        "seen": [day, dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC), None],
        "at": [dt.time(9, 30), b"nine", "9"],
    }
    found = batch_of(
        {name: np.array(values, object) for name, values in columns.items()}, features=list(columns)
    )

    of_day = 1_709_164_800.0
    (seen,) = found.features[0].values  # noqa: PD011 - a block of ours, no data frame
    np.testing.assert_array_equal(seen, [of_day, of_day + 43_200, np.nan])
    (at,) = found.categories
    assert [None if code < 0 else at.levels[code] for code in at.codes] == ["09:30:00", None, "9"]
    wrong = {gap.name: gap.wrong for gap in found.gaps}
    assert wrong["seen"] is None
    np.testing.assert_array_equal(wrong["at"], [False, True, False])


def test_what_the_emitter_would_not_take_is_compared_as_it_prints() -> None:
    """Intervals have distances, and a NaN of numpy's own is no level."""
    cuts = [-10.0, -1.0, 0.0, 1.0, 10.0]
    old, new = (pd.cut(np.random.default_rng(3).normal(mean, size=400), cuts) for mean in (0.0, 2.0))
    assert (compare({"x": old}, {"x": new}).figure("x").value or 0.0) > 1.0
    (found,) = batch_of({"x": np.array(["a", np.float32("nan")], object)}, features=["x"]).categories
    assert found.levels == ("a",)


FLAGS = [True, False, None, True]
LEVELS = ["true", "false", None, "true"]


@pytest.mark.parametrize(
    ("column", "levels"),
    [
        (np.array([True, False, True]), ["true", "false", "true"]),
        (FLAGS, LEVELS),
        (pd.Series(FLAGS, dtype="boolean"), LEVELS),
        (pl.Series(FLAGS), LEVELS),
        (pa.array(FLAGS), LEVELS),
        (pd.Series(pd.Categorical([30, 4, None])), ["30", "4", None]),
        (pd.Series(pd.Categorical([True, False, None])), ["true", "false", None]),
    ],
)
def test_booleans_and_categories_are_levels(column: Any, levels: list[str | None]) -> None:
    """They are levels as events have them, of whichever library."""
    batch = batch_of({"x": column}, ["x"])
    assert batch.features == []
    (found,) = batch.categories
    assert [None if code < 0 else found.levels[code] for code in found.codes] == levels


def test_a_boolean_is_a_number_where_the_reference_has_one() -> None:
    """As in a column that the emitter has known as numbers, true is 1; a category of pandas has a wrong type there."""
    (block,) = batch_of({"x": np.array([True, False])}, ["x"], numbers={"x"}).features
    np.testing.assert_array_equal(block.values, [[1.0, 0.0]])
    (gap,) = batch_of({"x": pd.Series(pd.Categorical([3, None]))}, ["x"], numbers={"x"}).gaps
    np.testing.assert_array_equal(gap.wrong, [True, False])
