"""`driftline windows --exact` counts the rows that windows count, also of ids that are predicted again."""

from __future__ import annotations

import pytest
from cold_world import STEP, Step, World
from examples import many
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.streams.join.outcomes_bytes import unpack
from driftline.streams.replay.exact import exact_rows
from driftline.streams.windows.resolution import MERGED
from driftline.streams.windows.window import Window


@settings(max_examples=many(60), deadline=None)
@given(st.lists(STEP, min_size=10, max_size=50), st.sampled_from(["days", "all"]))
def test_exact_rows_are_those_that_windows_count(steps: list[Step], version: str) -> None:
    """Whatever days an id is predicted on, predictions, labels and losses of each window equal (`==`) its own."""
    world = World()
    with pytest.MonkeyPatch.context() as patch:
        world.archive.stand_in(patch)
        world.live(world.begin(), steps, version)
        want = {
            Window(*key[1:]): unpack(one.counts)
            for key, one in world.archive.windows.items()
            if one.resolution not in MERGED
        }
        if not want:
            return
        found = dict(exact_rows(None, "d", want, world.book, world.rules))  # type: ignore[arg-type]
    assert {window: (one.predictions, one.labels) for window, one in found.items()} == {
        window: (one.predictions, one.labels) for window, one in want.items()
    }
    for window, one in found.items():
        assert (one.outcomes.counted, one.outcomes.sums) == (want[window].counted, want[window].sums)
