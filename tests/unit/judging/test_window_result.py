"""A window result: whole after its bytes are read, ordered by what it has absorbed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from driftline.schemas.refusal import Refused
from driftline.schemas.window import Figure, WindowResult
from driftline.streams.windows.comparison import compare
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.layout import Layout

DAY_MS = 86_400_000


def result_of(absorbed: int, *, final: bool, figures: Sequence[Figure] = ()) -> WindowResult:
    """Return a small result."""
    return WindowResult(
        deployment="shop",
        model_version="3",
        slot="champion",
        resolution="1d",
        window_start_ms=0,
        window_end_ms=DAY_MS,
        profile_digest="",
        partition=2,
        absorbed=absorbed,
        final=final,
        restated=False,
        rows=0,
        watermark_ms=DAY_MS,
        counts=b"",
        computed_at_ms=5,
        figures=list(figures),
    )


def test_results_travel_whole() -> None:
    """A window result with every figure and its counts is the same after its bytes are read."""
    rng = np.random.default_rng(1)
    found = compare({"x": rng.normal(size=900)}, {"x": rng.normal(size=300)})
    result = replace(result_of(41, final=True, figures=found.figures), counts=found.counters.to_bytes())
    read = WindowResult.from_bytes(result.to_bytes())
    assert read == result
    assert Counters.from_bytes(Layout(found.profile), read.counts) == found.counters


def test_a_final_result_wins_over_an_open_one_of_the_same_rows() -> None:
    """Of two results that have absorbed the same the final one has the greater version."""
    open_one, final, later = result_of(7, final=False), result_of(7, final=True), result_of(8, final=False)
    assert open_one.version < final.version < later.version
    assert result_of(-1, final=False).version == 0


@pytest.mark.parametrize(
    "figure",
    [Figure("drift", "x", "psi", verdict="great"), Figure("luck", "x", "psi")],
    ids=["verdict", "kind"],
)
def test_a_name_outside_the_contract_is_refused(figure: Figure) -> None:
    """Bytes with an unknown verdict or kind are refused, with the value named."""
    data = result_of(1, final=True, figures=[figure]).to_bytes()
    with pytest.raises(Refused) as refused:
        WindowResult.from_bytes(data)
    assert "'great'" in refused.value.detail or "'luck'" in refused.value.detail
