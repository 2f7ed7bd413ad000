"""Drift within the values of segments: found where it is, judged by chance and the floor, and free where none is."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from counting import profile_of
from declared import RULES, book, published, sealed, windows
from segmented import CARRIERS, reference, rows
from shards import BASE_MS, HOUR_MS

from driftline.schemas.columns import PredictionColumns
from driftline.schemas.deployment import DeploymentSettings, Segment
from driftline.schemas.deployment_state import defaults
from driftline.schemas.profile import Profile
from driftline.schemas.profile_split import SPLIT_LEVELS
from driftline.schemas.refusal import Refused
from driftline.schemas.window import Figure, WindowResult
from driftline.streams.processors.profile_book import ProfileBook
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.layout import Layout
from driftline.streams.windows.shard import Shard
from driftline.streams.windows.splits import IMPORTANT, splits_of

ROWS = 6_000
CARRIER = {"carrier": {"reference": "AA"}}


def hour(number: int, by: float = 0.0, count: int = ROWS) -> PredictionColumns:
    """Make one hour of the stream, in which UA's delay may be moved."""
    times = np.sort(BASE_MS + number * HOUR_MS + np.random.default_rng(number).integers(0, HOUR_MS, count))
    return rows(number, count, times, moved="UA", by=by)


def by_value(result: WindowResult) -> dict[tuple[str, str], Figure]:
    """Return the figures of segment values by feature and segment."""
    return {(one.feature, one.segment): one for one in result.figures if one.segment}


def test_a_first_revision_after_a_tombstone_chooses_anew() -> None:
    """Two revisions 1 that say different things split by different segments."""
    layout = Layout(reference(), "digest")
    first = defaults("churn")
    other = DeploymentSettings(deployment="churn", feature_importance={"delay": 1.0})
    chosen = [
        splits_of(layout, msgspec.structs.replace(first, settings=one)) for one in (first.settings, other)
    ]
    assert [len([c for c in one[0].columns if c.profile.role == "feature"]) for one in chosen] == [4, 1]


def test_drift_of_one_value_alone_is_a_warning_of_that_value() -> None:
    """UA's delay moves: the figure of UA warns, with chance and floor and no block; all other values are well."""
    profile = reference(provenance="held-out", resolutions=("5m", "1h", "1d"))
    found = windows(book(profile, segments=CARRIER), hour(0, by=0.7), hour(1))
    narrow = [one for one in found if one.resolution == "5m"]
    assert narrow
    assert not any(by_value(one) for one in narrow)
    result = next(one for one in found if one.resolution == "1h")
    told = by_value(result)
    assert set(told) == {
        (name, f"carrier={value}")
        for name in ("delay", "distance", "seats", "plane", "score")
        for value in CARRIERS
    }
    warned = told.pop(("delay", "carrier=UA"))
    assert (warned.kind, warned.metric, warned.verdict, warned.block) == ("drift", "psi", "warn", None)
    assert "null: iid, how windows of one value of a segment vary is not known" in warned.reason
    assert warned.level == 0.01 / 20
    assert warned.floor == 0.1
    assert {one.verdict for one in told.values()} == {"ok"}
    assert told["score", "carrier=UA"].kind == "prediction"
    assert result.settings_revision == 1


def test_what_the_whole_stream_shows_by_itself_is_no_news_of_a_value() -> None:
    """Where days move all rows, a value that moves with them is ok by the block null of all; one that leaps warns."""
    rng = np.random.default_rng(5)
    days = rng.normal(0, 1.0, 60)
    times = np.sort(BASE_MS + rng.integers(0, 60 * 24 * HOUR_MS, 60_000))
    known = rows(1, 60_000, times)
    known.features[0].values[0] += days[(times - BASE_MS) // (24 * HOUR_MS)]
    profile = profile_of(known, resolutions=("1d",))
    hours = (70 * 24, 71 * 24)
    usual, leap = ([moved(hour(number, by), 1.0) for number in hours] for by in (0.0, 6.0))
    told = by_value(
        next(one for one in windows(book(profile, segments=CARRIER), *usual) if one.resolution == "1d")
    )
    figure = told["delay", "carrier=UA"]
    assert (figure.value or 0) > max(figure.null or 1, 0.1)
    assert (figure.value or 1) <= (figure.block or 0)
    assert figure.verdict == "ok"
    assert "over all values in windows this wide, and chance among these rows" in figure.reason
    assert (figure.level or 0) >= 1 / 61
    told = by_value(
        next(one for one in windows(book(profile, segments=CARRIER), *leap) if one.resolution == "1d")
    )
    assert {segment: one.verdict for (name, segment), one in told.items() if name == "delay"} == {
        f"carrier={name}": "warn" if name == "UA" else "ok" for name in CARRIERS
    }


def moved(cols: PredictionColumns, by: float) -> PredictionColumns:
    """Move the delay of every row."""
    cols.features[0].values[0] += by
    return cols


def test_a_value_with_few_rows_is_inconclusive() -> None:
    """Below the minimum of the settings nothing is said of a value; the whole window is judged all the same."""
    found = windows(
        book(reference(resolutions=("1h",)), segments=CARRIER, minimum_rows=1_000),
        hour(0, 0.7, 2_000),
        hour(1),
    )
    told = by_value(found[0])
    assert {one.verdict for one in told.values()} == {"inconclusive"}
    assert "a verdict needs 1000" in told["delay", "carrier=UA"].reason
    whole = next(
        one for one in found[0].figures if (one.feature, one.metric, one.segment) == ("delay", "psi", "")
    )
    assert whole.verdict == "ok"


def test_scores_that_cannot_be_compared_are_not_compared_by_segment_either() -> None:
    """With scores of rows the model learned from, those of a value are inconclusive, with the same reason."""
    told = by_value(
        windows(book(reference(provenance="in-sample", resolutions=("1h",))), hour(0), hour(1))[0]
    )
    score = told["score", "region=east"]
    assert (score.kind, score.verdict) == ("prediction", "inconclusive")
    assert "in-sample" in score.reason
    assert told["distance", "region=east"].verdict == "ok"


def test_a_week_is_the_sum_of_its_days_after_a_restart_too() -> None:
    """Counts by segment values are stored with the day, merge to the week, and a late batch is counted in both."""
    known = book(reference(resolutions=("1d",)), segments=CARRIER)
    shard = Shard.load(0, {}, known, RULES)
    for number in range(9):
        shard.fold(number, sealed(hour(number * 24, count=800), number), 0)
        if number % 2:
            published(shard)
            shard = Shard.load(0, shard.held, known, RULES)
    shard.fold(9, sealed(hour(8 * 24 + 1, count=10), 9), 0)
    weeks = [one for one in published(shard) if one.resolution == "7d" and one.final]
    days = [shard.look(key).counters for key in shard.index["churn"] if key.start_ms < weeks[0].window_end_ms]
    total = Counters(days[0].layout)
    for day in days:
        total.merge(day)
    week = Counters.from_bytes(days[0].layout, weeks[0].counts)
    assert week.splits
    assert week == total
    assert by_value(weeks[0])["delay", "carrier=UA"].rows == int(
        week.splits[_pair(week.layout, "carrier", "delay")][
            week.layout.column("carrier", "segment").bin_of_level("UA")
        ].sum()
    )


def test_what_is_split_is_what_is_declared_and_most_important() -> None:
    """Declared segments in their order, else all; features by importance, else the first; then the score."""
    layout = Layout(reference(500))
    assert chosen(layout) == {
        name: ["delay", "distance", "seats", "plane", "score"] for name in ("carrier", "region")
    }
    importance = {"plane": 5.0, "distance": 0.1, "seats": 0.0}
    told = chosen(layout, segments={"region": Segment(), "nowhere": Segment()}, feature_importance=importance)
    assert told == {"region": ["plane", "distance", "score"]}
    assert IMPORTANT == 10


def test_where_no_segment_is_nothing_is_paid() -> None:
    """A profile without a segment has no splits, its counters no table, its figures no segment."""
    profile = replace(reference(500, resolutions=("1h",)), splits=())
    counters = Counters(Layout(profile))
    assert splits_of(counters.layout, defaults("churn")) == ()
    with_none = windows(book(profile), hour(0, 3.0), hour(1))
    assert not any(by_value(one) for one in with_none)
    assert {one.counts[0] for one in with_none} == {1}
    accuracy = ProfileBook(lambda: None, keeps_truth=True, keeps_drift=False)
    accuracy.on_record(b"churn/1", reference(500).to_bytes(), 0)
    assert accuracy.layout("churn", "1").splits == {}


def test_levels_past_the_first_are_one_bin() -> None:
    """A feature of many levels is told apart by its first 16 and the rest, so that a value's counts stay small."""
    rng = np.random.default_rng(0)
    base = rows(1, 4_000)
    many = tuple(f"level {at}" for at in range(60))
    codes = (rng.random(4_000) ** 2 * 60).astype(np.int32)
    cols = replace(base, categories=[replace(base.categories[0], levels=many, codes=codes)])
    layout = Layout(profile_of(cols, has_times=False))
    counters = Counters(layout)
    counters.fold_splits(splits_of(layout, defaults("churn")), cols)
    table = counters.splits[_pair(layout, "carrier", "plane")]
    assert table.shape == (5, SPLIT_LEVELS + 1)
    kept = layout.column("plane").profile.levels[:SPLIT_LEVELS]
    assert table[:, -1].sum() == np.count_nonzero(~np.isin(np.array(many)[codes], kept))
    assert table.sum() == 4_000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"column": "nobody"}, "are of columns that the profile does not have"),
        ({"segment": "plane"}, "are of columns that the profile does not have"),
        ({"role": "segment", "column": "region"}, "are of columns that the profile does not have"),
        ({"counts": np.zeros((2, 2), np.int64)}, "does not hold"),
        ({"counts": np.full((5, 10), -1, np.int64)}, "must not be negative"),
    ],
)
def test_a_profile_whose_splits_do_not_fit_is_refused(change: dict[str, object], said: str) -> None:
    """Counts of unknown columns, of another shape, or below zero are one sentence; good ones come back as they were."""
    profile = reference(500)
    again = Profile.from_bytes(profile.to_bytes())
    assert again.digest() == profile.digest()
    assert [one.counts.tolist() for one in again.splits] == [one.counts.tolist() for one in profile.splits]
    bad = replace(profile, splits=(replace(profile.splits[0], **change),))  # type: ignore[arg-type]
    with pytest.raises(Refused, match=said):
        Profile.from_bytes(bad.to_bytes())
    twice = replace(profile, splits=(profile.splits[0], profile.splits[0]))
    with pytest.raises(Refused, match="stand twice"):
        Profile.from_bytes(twice.to_bytes())


def chosen(layout: Layout, **wanted: object) -> dict[str, list[str]]:
    """Return the names of what is split by each segment, under new settings."""
    layout.plans.clear()
    state = defaults("churn")
    settings = DeploymentSettings(deployment="churn", **wanted)  # type: ignore[arg-type]
    state = type(state)(
        deployment="churn", revision=1, since_ms=0, changed_by="", changed_at_ms=0, settings=settings
    )
    return {
        one.segment.profile.name: [c.profile.name for c in one.columns] for one in splits_of(layout, state)
    }


def _pair(layout: Layout, segment: str, feature: str) -> tuple[int, int]:
    return layout.column(segment, "segment").index, layout.column(feature).index
