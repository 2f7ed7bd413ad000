"""Frames as columns of one batch: what of a person's table cannot be compared."""

from __future__ import annotations

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
