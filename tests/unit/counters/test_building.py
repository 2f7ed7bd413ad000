"""Building a profile: edges, widths, levels, days and the reference's own variation."""

from __future__ import annotations

import numpy as np
import pytest
from counting import batch, profile_of

from driftline.schemas.shapes import Gap
from driftline.streams.stats.psi import psi
from driftline.streams.windows.resolution import ResolutionError
from driftline.streams.windows.sample import SampleError

DAY_MS = 86_400_000
RNG = np.random.default_rng(7)


def test_fine_bins_nest_in_deciles() -> None:
    """Each decile edge is a fine edge, and the map from fine to decile bins never falls and skips none."""
    x = RNG.lognormal(size=5000).astype(np.float32)
    column = profile_of(batch({"x": x}, dtype="float32")).column("x")
    deciles = np.unique(np.quantile(x, np.arange(1, 10) / 10))
    assert column.psi_bins == 10
    assert set(np.diff(column.decile_of_bin).tolist()) <= {0, 1}
    for at, edge in enumerate(deciles):
        last = int(np.flatnonzero(column.decile_of_bin == at)[-1])
        assert column.edges[last] <= edge < np.nextafter(np.float32(column.edges[last]), np.float32(np.inf))


def test_a_value_with_a_large_share_has_a_bin_of_its_own() -> None:
    """Zeros and caps are atoms: one fine bin holds them and nothing else."""
    x = np.concatenate([np.zeros(300), np.full(100, 9.0), RNG.uniform(0, 9, 600)])
    column = profile_of(batch({"x": x})).column("x")
    assert {0.0, 9.0} <= set(column.atoms.tolist())
    zero = int(np.searchsorted(column.edges, 0.0))
    assert column.counts[zero] == 300
    assert np.nextafter(np.float32(column.edges[zero - 1]), np.float32(1)) == column.edges[zero] == 0.0


def test_minimum_and_maximum_are_edges() -> None:
    """What lies outside the reference's range falls into the first or the last bin, which the reference has empty."""
    column = profile_of(batch({"x": RNG.normal(size=500)})).column("x")
    assert column.counts[0] == column.counts[-1] == 0
    assert column.edges[-1] == column.maximum
    assert np.nextafter(np.float32(column.edges[0]), np.float32(np.inf)) == np.float32(column.minimum)


@pytest.mark.parametrize(
    ("values", "width"),
    [
        (RNG.normal(size=1000), "float32"),
        (RNG.integers(0, 2**24, 1000), "float32"),
        (RNG.integers(0, 2**24, 1000) + 2**25, "float64"),
        (np.round(RNG.normal(size=1000), 2), "float32"),
        (1e9 + RNG.normal(size=1000), "float64"),
        (RNG.normal(size=1000) * 1e300, "float64"),
        (np.full(10, np.nan), "float32"),
    ],
)
def test_float64_is_chosen_where_float32_would_move_values_across_edges(
    values: np.ndarray, width: str
) -> None:
    """Integers past 2**24 and values closer than float32 can tell travel as float64, the rest as float32."""
    assert profile_of(batch({"x": values})).column("x").dtype == width


def test_columns_that_come_as_float32_stay_float32() -> None:
    """A batch of float32 says how its values travel."""
    values = 1e9 + RNG.normal(size=100)
    assert profile_of(batch({"x": values}, dtype="float32")).column("x").dtype == "float32"


def test_scores_have_finer_bins_and_the_marks_people_ask_for() -> None:
    """A score has its 512 quantiles, its tails, 0.1 to 0.9 and the threshold as edges."""
    p = RNG.beta(1, 30, 200_000)
    column = profile_of(batch(scores={"p": p}), threshold=0.42).column("p", "score")
    assert {np.float32(m) for m in (*np.arange(1, 10) / 10, 0.42)} <= set(column.edges.astype(np.float32))
    assert 700 < column.bins < 1100
    assert column.counts.max() <= 0.01 * len(p)
    assert column.counts[-20:].max() <= 2


def test_levels_are_ordered_by_count_then_name() -> None:
    """The order of levels does not depend on the order of rows."""
    column = profile_of(batch(categories={"c": ["b", "z", "a", "z", None, "b"]})).column("c")
    assert column.levels == ("b", "z", "a")
    assert column.counts.tolist() == [2, 2, 1, 0, 0]
    assert column.nulls == 1


def test_a_segment_keeps_its_32_most_frequent_values() -> None:
    """Values of a segment past the first 32 are `other`."""
    values = [f"v{n:02d}" for n in range(40) for _ in range(50 - n)]
    column = profile_of(batch({"x": np.zeros(len(values))}, segments={"s": values})).column("s", "segment")
    assert column.levels == tuple(f"v{n:02d}" for n in range(32))
    assert column.counts[-2] == sum(50 - n for n in range(32, 40))


def test_nulls_wrong_values_and_nan_are_counted_apart() -> None:
    """Under a gap lies NaN, which is not counted as NaN."""
    nulls, wrong = np.array([1, 0, 0, 0], bool), np.array([0, 1, 0, 0], bool)
    cols = batch({"x": [np.nan, np.nan, np.nan, 1.0]}, gaps=[Gap("x", nulls, wrong)])
    column = profile_of(cols).column("x")
    assert (column.nulls, column.wrong, column.nan, int(column.counts.sum())) == (1, 1, 1, 1)


def test_days_and_hours_of_the_week_hold_every_valid_row() -> None:
    """Counts by day and by hour of the week (from Monday, UTC) add up to the counts of the column."""
    times = RNG.integers(0, 40 * DAY_MS, 5000)
    x = RNG.normal(size=5000)
    x[:100] = np.nan
    profile = profile_of(batch({"x": x}, times_ms=times))
    column = profile.column("x")
    assert column.days.sum(axis=0).tolist() == column.psi_counts.tolist()
    assert column.hour_of_week.sum(axis=0).tolist() == column.psi_counts.tolist()
    stamps = times[100:].astype("datetime64[ms]").astype(object)
    monday_noon = sum(stamp.weekday() == 0 and stamp.hour == 12 for stamp in stamps)
    assert column.hour_of_week[12].sum() == monday_noon
    assert profile.day_starts_ms.tolist() == sorted(set((times // DAY_MS * DAY_MS).tolist()))


def test_the_null_of_a_day_is_each_day_against_the_others() -> None:
    """The 1d tail holds, descending, the PSI of each reference day against the rest of the reference."""
    days = 30
    x = np.concatenate([RNG.normal(day % 3, 1, 300) for day in range(days)])
    column = profile_of(batch({"x": x}, times_ms=np.repeat(np.arange(days) * DAY_MS, 300))).column("x")
    figures = [psi(day, column.psi_counts - day) for day in column.days]
    tail = column.null_tails["1d"]
    assert tail.windows == days
    assert tail.largest.tolist() == pytest.approx(sorted(figures, reverse=True), rel=1e-12)


def test_narrow_resolutions_have_a_null_of_their_own_windows() -> None:
    """The 1h tail counts the hours with enough rows, and holds each against the rest of the reference."""
    hours = np.repeat(np.arange(24), [250 if hour % 2 else 10 for hour in range(24)])
    x = RNG.normal(hours / 10.0)
    cols = batch({"x": x}, times_ms=hours * 3_600_000)
    column = profile_of(cols, resolutions=("1h", "1d"), minimum_rows=200).column("x")
    tail = column.null_tails["1h"]
    bins = np.searchsorted(
        np.unique(np.quantile(x.astype(np.float32), np.arange(1, 10) / 10)), x.astype(np.float32)
    )
    figures = [
        psi(
            np.bincount(bins[hours == hour], minlength=10),
            np.bincount(bins[hours != hour], minlength=10),
        )
        for hour in range(1, 24, 2)
    ]
    assert tail.windows == 12
    assert tail.largest.tolist() == pytest.approx(sorted(figures, reverse=True), rel=1e-12)


def test_wide_windows_need_five_days_and_a_thousand_draws() -> None:
    """7d and 1M have the tail of 1,000 draws, repeatable by seed; a reference of four days has none."""
    times = np.repeat(np.arange(20) * DAY_MS, 250)
    cols = batch({"x": RNG.normal(size=5000)}, times_ms=times)
    one, two = profile_of(cols).column("x"), profile_of(cols).column("x")
    for name in ("7d", "1M"):
        assert one.null_tails[name].windows == 1000
        assert len(one.null_tails[name].largest) >= 11
        assert one.null_tails[name].largest.tolist() == two.null_tails[name].largest.tolist()
    four = profile_of(batch({"x": RNG.normal(size=1000)}, times_ms=times[:1000])).column("x")
    assert four.null_tails.keys() == {"1d"}


def test_without_times_there_is_no_null() -> None:
    """A reference whose times are not real has no days and no tails."""
    profile = profile_of(batch({"x": [1.0, 2.0]}), has_times=False)
    column = profile.column("x")
    assert (profile.start_ms, len(profile.day_starts_ms), column.days.shape, column.null_tails) == (
        None,
        0,
        (0, column.psi_bins),
        {},
    )


def test_what_is_no_reference_is_said_in_one_sentence() -> None:
    """No rows, two versions, other columns, another kind and unknown words raise with the cause."""
    one = batch({"x": [1.0]})
    other = batch({"x": [1.0]})
    other.model_version = "2"
    with pytest.raises(SampleError, match="no rows"):
        profile_of()
    with pytest.raises(SampleError, match="model_version, '1' and '2'"):
        profile_of(one, other)
    with pytest.raises(SampleError, match="'y' is not of one kind"):
        profile_of(one, batch({"y": [1.0]}))
    with pytest.raises(SampleError, match="feature 'x' is not of one kind"):
        profile_of(one, batch(categories={"x": ["1"]}))
    with pytest.raises(SampleError, match="1 columns where others have 2"):
        profile_of(batch({"x": [1.0], "y": [1.0]}), one)
    with pytest.raises(SampleError, match="provenance 'guessed'"):
        profile_of(one, provenance="guessed")
    with pytest.raises(ResolutionError, match="'2d'"):
        profile_of(one, resolutions=("2d",))
