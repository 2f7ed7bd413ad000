"""Change points are restored exactly: wherever the run is cut, what follows is as if it had not been."""

from __future__ import annotations

from examples import many
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.schemas.window import Figure, WindowResult
from driftline.streams.changes.tracker import Found, Tracker

DAY_MS = 86_400_000
values = st.floats(-3, 3).map(lambda value: round(value, 3))
levels = st.lists(st.tuples(values, st.integers(1, 40)), min_size=1, max_size=5)


def windows(draws: list[tuple[float, int]], noise: list[float]) -> list[WindowResult]:
    """Return days whose error, score and feature lie at one level for a while, then at another."""
    flat = [level for level, days in draws for _ in range(days)]
    found = []
    for day, level in enumerate(flat):
        shake = noise[day % len(noise)] / 10
        figures = [
            Figure("performance", "", "accuracy", 1 / (2 + level**2) + shake / 10),
            Figure("prediction", "score", "mean_sigma", level + shake),
            Figure("drift", "x", "mean_sigma", level / 2 - shake),
        ]
        found.append(WindowResult(
            "churn", "1", "champion", "1d", day * DAY_MS, (day + 1) * DAY_MS, "", 0, day, final=True,
            restated=False, rows=500, watermark_ms=0, counts=b"", computed_at_ms=0, figures=figures,
        ))  # fmt: skip
    return found


def run(days: list[WindowResult], cuts: set[int]) -> tuple[list[list[Found]], bytes]:
    """Feed every window; at the cuts the tracker is stored and read again."""
    tracker, found = Tracker(), []
    for at, day in enumerate(days):
        if at in cuts:
            tracker = Tracker.from_bytes(tracker.to_bytes())
        found.append(tracker.feed(day))
    return found, tracker.to_bytes()


@settings(max_examples=many(60), deadline=None)
@given(levels, st.lists(values, min_size=3, max_size=17), st.sets(st.integers(0, 200), max_size=6))
def test_cut_anywhere_and_restored_equals_never_cut(
    draws: list[tuple[float, int]], noise: list[float], cuts: set[int]
) -> None:
    """The changes found and the state at the end are the same, bit by bit."""
    days = windows(draws, noise)
    assert run(days, cuts) == run(days, set())


@settings(max_examples=many(40), deadline=None)
@given(levels, st.lists(values, min_size=3, max_size=17), st.data())
def test_a_restatement_never_feeds_again(
    draws: list[tuple[float, int]], noise: list[float], data: st.DataObject
) -> None:
    """Windows that come again, with other figures, change neither what is found nor the state."""
    days = windows(draws, noise)
    expected = run(days, set())
    tracker, found = Tracker(), []
    for at, day in enumerate(days):
        found.append(tracker.feed(day))
        again = days[data.draw(st.integers(0, at))]
        figures = [Figure(one.kind, one.feature, one.metric, 0.0) for one in again.figures]
        restated = WindowResult(
            **{name: getattr(again, name) for name in WindowResult.__slots__} | {"figures": figures}
        )
        assert tracker.feed(restated) == []
    assert (found, tracker.to_bytes()) == expected
