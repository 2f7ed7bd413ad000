"""P3, whole: hot windows and restated ones together are what a plain sort and join of all facts gives, over crashes."""

from __future__ import annotations

import pytest
from cold_world import RULES, STEP, Book, Step, World
from examples import many
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.streams.windows.rules import Rules

WIDTHS = [("1d",), ("1h",), ("5m", "1h"), ("1h", "1d"), ("5m", "1h", "1d")]


@settings(max_examples=many(60), deadline=None)
@given(st.lists(STEP, max_size=50), st.sampled_from(["days", "all"]))
def test_hot_and_restated_windows_are_a_plain_join(steps: list[Step], version: str) -> None:
    """For any schedule of facts, restatements and crashes, counts of every window equal (`==`) a join of all facts."""
    world = World()
    with pytest.MonkeyPatch.context() as patch:
        world.archive.stand_in(patch)
        shard = world.live(world.begin(), steps, version)
        assert world.differences(shard) == []


@settings(max_examples=many(100), deadline=None)
@given(st.lists(STEP, max_size=50), st.sampled_from(["days", "all"]))
def test_more_or_fewer_hot_windows_over_a_restart_are_a_plain_join(steps: list[Step], version: str) -> None:
    """However many windows are hot in the lives of a worker, counts of every window `==` a join of all facts."""
    # How long an id is barred in another cell depends on how many were hot then.
    turned = {"a": "p", "o": "h", "t": "h"}
    schedule = [(turned.get(kind, kind), *rest) for kind, *rest in steps]
    world = World()
    with pytest.MonkeyPatch.context() as patch:
        world.archive.stand_in(patch)
        shard = world.live(world.begin(), schedule, version)
        shard = world.grow_cold(shard, version)
        assert world.differences(shard) == []


@settings(max_examples=many(100), deadline=None)
@given(
    st.lists(STEP, max_size=50),
    st.sampled_from(["days", "all"]),
    st.sampled_from([22_500, 30_000, 40_000]),
    st.sampled_from([1, 3]),
)
def test_days_pushed_out_at_the_cap_are_a_plain_join_in_the_end(
    steps: list[Step], version: str, held_bytes: int, hot_windows: int
) -> None:
    """However little memory there is, weeks and months of days pushed out and days kept too, it all comes out equal."""
    world = World(Rules(hot_windows=hot_windows, kept_days=hot_windows + 32, held_bytes=held_bytes))
    with pytest.MonkeyPatch.context() as patch:
        world.archive.stand_in(patch)
        shard = world.live(world.begin(), steps, version)
        shard = world.grow_cold(shard, version)
        assert world.differences(shard) == []


@settings(max_examples=many(60), deadline=None)
@given(
    st.lists(STEP, max_size=25), st.lists(STEP, max_size=25), st.sampled_from(WIDTHS), st.sampled_from(WIDTHS)
)
def test_windows_of_a_new_width_are_whole_or_silent(
    before: list[Step], after: list[Step], widths: tuple[str, ...], later: tuple[str, ...]
) -> None:
    """Whatever a version is counted by from some moment on, no window is published in the end that lacks facts."""
    world = World(RULES, Book(widths))
    new = {*later} - {*widths} | ({"7d", "1M"} if "1d" not in widths else set())
    # How long a cell bars an id depends on the widths of its time.
    first, then = ([("p", *one[1:]) if one[0] == "a" else one for one in steps] for steps in (before, after))
    with pytest.MonkeyPatch.context() as patch:
        world.archive.stand_in(patch)
        shard = world.live(world.begin(), first, "x")
        world.book.widths = later
        shard = world.live(shard, then, "x")
        shard = world.grow_cold(shard, "x")
        assert world.differences(shard, {*new, "new"}) == []
