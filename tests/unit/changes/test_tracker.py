"""What counts for change points, and what is said of one."""

from __future__ import annotations

import dataclasses
import random

import pytest

from driftline.schemas.refusal import Refused
from driftline.schemas.window import Figure, WindowResult
from driftline.streams.changes.adwin import Adwin
from driftline.streams.changes.tracker import SERIES_MAX, Found, Tracker

DAY_MS = 86_400_000
STEP = 60


def day(number: int, *figures: Figure, **other: object) -> WindowResult:
    """Return one final day."""
    plain = WindowResult(
        "churn", "1", "champion", "1d", number * DAY_MS, (number + 1) * DAY_MS, "", 0, number, final=True,
        restated=False, rows=500, watermark_ms=0, counts=b"", computed_at_ms=0, figures=list(figures),
    )  # fmt: skip
    return dataclasses.replace(plain, **other)  # type: ignore[arg-type]


def stepped(metric: str, before: float, after: float, spread: float, **place: str) -> list[WindowResult]:
    """Return 120 days of a figure that steps after 60."""
    draw = random.Random(1)
    plain = {"kind": "performance", "feature": ""} | place
    return [
        day(
            number,
            Figure(metric=metric, value=draw.gauss(before if number < STEP else after, spread), **plain),
        )
        for number in range(2 * STEP)
    ]


def found_in(days: list[WindowResult], tracker: Tracker | None = None) -> list[Found]:
    """Feed all days; give every change."""
    used = Tracker() if tracker is None else tracker
    return [found for one in days for found in used.feed(one)]


def test_a_step_of_the_error_is_found_with_its_moment() -> None:
    """The error rises by a third: one change, dated within five days of the step, with both means."""
    (first,) = found_in(stepped("accuracy", 0.80, 0.70, 0.02))
    assert (first.figure.kind, first.figure.feature, first.figure.metric) == ("change", "", "error")
    assert abs(first.since_ms - STEP * DAY_MS) <= 5 * DAY_MS
    assert STEP * DAY_MS < first.found_ms <= (STEP + 30) * DAY_MS
    assert first.before == pytest.approx(0.20, abs=0.02)
    assert first.after == pytest.approx(0.30, abs=0.03)
    assert first.figure.value == first.after - first.before
    assert first.figure.rows + first.figure.reference_rows == first.found_ms // DAY_MS
    assert first.figure.reason.startswith("The error went from 0.198 to 0.304 at about 1970-03-02")


def test_each_change_is_told_once() -> None:
    """Up after sixty days and down again sixty days later: two changes, each with its own moment."""
    up = stepped("mean_sigma", 0.0, 2.0, 0.3, kind="drift", feature="x")
    down = stepped("mean_sigma", 2.0, 0.0, 0.3, kind="drift", feature="x")[STEP:]
    later = [day(2 * STEP + number, *one.figures) for number, one in enumerate(down)]
    found = found_in([*up, *later])
    assert [round(one.since_ms / DAY_MS / STEP) for one in found] == [1, 2]
    assert [(one.figure.value or 0.0) > 0 for one in found] == [True, False]


def test_nothing_is_found_where_nothing_changes() -> None:
    """A hundred and twenty days around one level show no change."""
    assert found_in(stepped("accuracy", 0.8, 0.8, 0.02)) == []


def test_the_unit_of_a_regression_does_not_matter() -> None:
    """RMSE in tens of thousands or in hundredths shows the same change, told in its own unit."""
    large, small = (found_in(stepped("rmse", 30 * unit, 45 * unit, 2 * unit))[0] for unit in (1000.0, 0.001))
    assert large.since_ms == small.since_ms
    assert large.before == pytest.approx(30_000, rel=0.05)
    assert small.after == pytest.approx(0.045, rel=0.1)


@pytest.mark.parametrize("what", [{"final": False}, {"provisional": True}])
def test_an_open_or_provisional_window_tells_no_error(what: dict[str, bool]) -> None:
    """Early labels and unfinished windows are not fed; later the same windows are."""
    days = stepped("accuracy", 0.8, 0.6, 0.02)
    tracker = Tracker()
    assert found_in([dataclasses.replace(one, **what) for one in days], tracker) == []
    assert tracker.series == {}
    assert found_in(days, tracker)


def test_scores_and_chosen_features_are_followed() -> None:
    """With features named, those and the score are followed; without, all."""
    both = [
        day(0, Figure("drift", name, "mean_sigma", 0.1), Figure("prediction", "score", "mean_sigma", 0.2))
        for name in ("x", "y")
    ]
    chosen, everything = Tracker(features=frozenset(["x"])), Tracker()
    for one in both:
        chosen.feed(one)
        everything.feed(one)
    assert sorted(chosen.series) == ["drift\tx\tmean_sigma", "prediction\tscore\tmean_sigma"]
    assert len(everything.series) == 3


def test_figures_without_a_finite_value_and_segments_are_left_out() -> None:
    """Undefined, infinite, per class and per segment: none of these is a sequence."""
    tracker = Tracker()
    tracker.feed(day(
        0, Figure("performance", "", "accuracy", None), Figure("drift", "x", "mean_sigma", float("inf")),
        Figure("performance", "a", "accuracy", 0.5), Figure("performance", "", "accuracy", 0.5, segment="s=1"),
        Figure("drift", "x", "psi", 0.5),
    ))  # fmt: skip
    assert tracker.series == {}


def test_the_number_of_sequences_is_bounded() -> None:
    """Past 500 sequences further ones are not followed, and the state stays below 2 MB."""
    many, one = Tracker(), Tracker()
    for number in range(2):
        figures = [Figure("drift", f"f{at}", "mean_sigma", random.random()) for at in range(SERIES_MAX + 9)]
        many.feed(day(number, *figures))
    assert len(many.series) == SERIES_MAX
    for number in range(400):
        one.feed(day(number, Figure("drift", f"f{SERIES_MAX}", "mean_sigma", random.random())))
    assert SERIES_MAX * len(one.to_bytes()) < 2_000_000


def test_what_is_no_state_is_refused() -> None:
    """Bytes of something else are one sentence."""
    with pytest.raises(Refused, match="the state of change points cannot be read"):
        Tracker.from_bytes(b"\x93rubbish")


def test_memory_grows_with_the_logarithm() -> None:
    """Twenty thousand values of one level take at most 5 buckets of 16 sizes."""
    adwin, draw = Adwin(), random.Random(3)
    for at in range(20_000):
        adwin.update(draw.random(), at)
    assert sum(map(len, adwin.rows)) <= 5 * 16
