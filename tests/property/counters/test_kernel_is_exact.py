"""The compiled kernel, numpy and plain Python count and add the same, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from counting import batch, expected_counts, expected_sums, profile_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from driftline.streams.windows.counters import Counters
from driftline.streams.windows.grid import cells_of, choose
from driftline.streams.windows.kernel import GRID_CELLS
from driftline.streams.windows.layout import Layout, term_scale
from driftline.streams.windows.plain import count_numbers


def floats(width: int) -> st.SearchStrategy[float]:
    """Any float of that width, with small integers often, so that ties happen."""
    return st.one_of(
        st.integers(-5, 5).map(float),
        st.floats(width=width),
        st.floats(-4, 4, width=width),
    )


def columns(width: int, least: int = 0) -> st.SearchStrategy[np.ndarray]:
    """Columns of up to 60 values."""
    return hnp.arrays(np.dtype(f"float{width}"), st.integers(least, 60), elements=floats(width))


@pytest.mark.parametrize("width", [32, 64])
@given(data=st.data())
def test_kernel_numpy_and_python_agree(width: int, data: st.DataObject) -> None:
    """For any reference and any rows: counts, sums, NaN, infinities and saturated terms are the same thrice."""
    reference = data.draw(columns(width, least=1))
    values = data.draw(columns(width, least=1))
    profile = profile_of(batch({"x": reference}, dtype=f"float{width}"))
    column = profile.column("x")
    counters = Counters(Layout(profile))
    counters.fold(batch({"x": values}, dtype=f"float{width}"))
    found = counters.column("x")
    with np.errstate(over="ignore"):
        travelled = values.astype(column.dtype)
    edges = column.edges.astype(column.dtype)
    plain = count_numbers(travelled, edges, column.mean, term_scale(column.unit))
    assert found.counts.tolist() == plain.counts.tolist() == expected_counts(column, values)
    assert found.sums_lo.tolist() == plain.sums_lo.tolist()
    assert found.sums_hi.tolist() == plain.sums_hi.tolist()
    assert found.exact_sums == expected_sums(column, values)
    assert (found.nan, found.posinf, found.neginf, found.saturated) == (
        plain.nan,
        plain.posinf,
        plain.neginf,
        plain.saturated,
    )


@given(
    edges=hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(allow_nan=False), unique=True),
    values=hnp.arrays(np.float64, 20, elements=st.floats(allow_nan=False, allow_infinity=False)),
)
def test_the_grid_never_starts_past_the_answer(edges: np.ndarray, values: np.ndarray) -> None:
    """For any edges and any value, the edges before its cell all lie below it."""
    edges.sort()
    grid = choose(edges, np.ones(len(edges) + 1, np.int64))
    cells = cells_of(values, grid.low, grid.scale)
    assert ((cells >= 0) & (cells < GRID_CELLS)).all()
    assert (grid.before[cells] <= np.searchsorted(edges, values, side="left")).all()
