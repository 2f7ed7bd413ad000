"""A window judged: which figures it has, and what each verdict and reason says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from driftline.schemas.profile_column import NullTail
from driftline.streams.stats.verdict import Rule
from driftline.streams.windows.comparison import Comparison, compare
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.frames import batch_of
from driftline.streams.windows.judge import DEFAULT, held_width, judge
from driftline.streams.windows.layout import Layout
from driftline.streams.windows.null_tails import cut_tails
from driftline.streams.windows.resolution import Resolution

DAY = Resolution("1d")
DAY_MS = 86_400_000


def table(rows: int, days: int = 40, shift: float = 0.0, seed: int = 1) -> dict[str, Any]:
    """Return rows over some days: a number with a mild day effect, a level, a score, a class."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, days * DAY_MS, rows))
    effect = rng.normal(0, 0.1, days)[times // DAY_MS]
    return {
        "amount": rng.normal(0, 1, rows) + effect + shift,
        "kind": rng.choice(["a", "b", "c"], rows, p=[0.5, 0.3, 0.2]).astype(object),
        "score": rng.uniform(size=rows),
        "predicted": rng.choice(["yes", "no"], rows),
        "time": times,
    }


def compared(current: dict[str, Any], **options: object) -> Comparison:
    """Compare a table of one day with 40 days of reference."""
    told: dict[str, Any] = {
        "features": ["amount", "kind"],
        "scores": ["score"],
        "predicted": "predicted",
        "timestamps": "time",
        "provenance": "held-out",
        "resolution": "1d",
    }
    return compare(table(40_000), current, **(told | options))


def verdicts(found: Comparison, kind: str) -> set[str | None]:
    """Return the verdicts of one kind of figure."""
    return {figure.verdict for figure in found.figures if figure.kind == kind and figure.metric == "psi"}


def test_a_day_like_the_others_is_ok() -> None:
    """Rows of the same law have no drift, and data of the same quality."""
    found = compared(table(1_000, days=1, seed=2))
    assert {figure.verdict for figure in found.figures if figure.verdict} == {"ok"}
    assert found.drifted == []


def test_a_shift_fails_and_says_why() -> None:
    """Two sigmas are a failure, whose reason names the figure and the reference's own windows."""
    found = compared(table(1_000, days=1, shift=2.0, seed=2))
    figure = found.figure("amount")
    assert figure.verdict == "fail"
    assert figure.value is not None
    assert figure.block is not None
    assert figure.null is not None
    assert figure.value > max(figure.null, 0.25, figure.block)
    assert "reference" in figure.reason
    assert found.drifted == ["amount"]


def test_each_column_has_every_figure() -> None:
    """Numbers have eight figures, levels four, and every column its data quality."""
    found = compared(table(1_000, days=1))
    metrics = {(figure.feature, figure.metric) for figure in found.figures}
    numbers = {"psi", "js", "hellinger", "chi2", "ks", "ks_upper", "w1_sigma", "mean_sigma"}
    assert {metric for name, metric in metrics if name == "amount"} == numbers | {
        *("missing", "nulls", "wrong_type", "nonfinite", "out_of_range")
    }
    assert {metric for name, metric in metrics if name == "kind"} == {
        *("psi", "js", "hellinger", "chi2", "missing", "nulls", "wrong_type", "unseen")
    }
    kinds = {figure.feature: figure.kind for figure in found.figures if figure.metric == "psi"}
    assert kinds == {"amount": "drift", "kind": "drift", "score": "prediction", "predicted": "prediction"}


def test_the_level_is_shared_over_features_and_outputs() -> None:
    """Four judged columns share 1 %; forty reference days cannot show less than 1 in 41."""
    found = compared(table(1_000, days=1))
    assert found.figure("amount").level == pytest.approx(1 / 41)
    without = compared(table(1_000, days=1), timestamps=None)
    assert without.figure("amount").level == pytest.approx(0.01 / 4)


def test_without_times_nothing_is_worse_than_a_warning() -> None:
    """Without reference times there is no block null: at most a warning, which says `null: iid`."""
    figure = compared(table(1_000, days=1, shift=3.0), timestamps=None).figure("amount")
    assert figure.verdict == "warn"
    assert figure.block is None
    assert "null: iid, the reference has no times" in figure.reason


def test_a_short_reference_has_no_block_null() -> None:
    """Fewer than 20 reference days say `null: iid` and how many there are."""
    reference, current = table(9_000, days=12), table(1_000, days=1, shift=3.0)
    figure = compare(reference, current, features=["amount"], timestamps="time", resolution="1d").figure(
        "amount"
    )
    assert figure.verdict == "warn"
    assert "only 12 reference windows" in figure.reason
    month = table(9_000, days=30, shift=3.0)
    wide = compare(reference, month, features=["amount"], timestamps="time").figure("amount")
    assert wide.verdict == "warn"
    assert "12 days" in wide.reason


def test_few_rows_are_inconclusive() -> None:
    """Below 200 rows nothing is said of drift nor of quality."""
    found = compared(table(150, days=1, shift=5.0))
    assert {figure.verdict for figure in found.figures if figure.verdict} == {"inconclusive"}
    assert "150 rows" in found.figure("amount").reason


@pytest.mark.parametrize("provenance", ["in-sample", "none"])
def test_scores_of_rows_the_model_learned_from_are_not_compared(provenance: str) -> None:
    """Prediction drift is inconclusive when the reference is in-sample, or nobody said; features are judged."""
    found = compared(table(1_000, days=1), provenance=provenance)
    assert verdicts(found, "prediction") == {"inconclusive"}
    assert verdicts(found, "drift") == {"ok"}
    assert "in-sample" in found.figure("score").reason


def test_without_a_profile_there_is_no_verdict() -> None:
    """Rows are counted; the one verdict is inconclusive, with the reason no_profile."""
    counters = Counters(Layout.without_profile("shop", "3"))
    figures = judge(None, counters, DAY)
    assert [(figure.kind, figure.verdict) for figure in figures] == [
        ("drift", "inconclusive"),
        ("rows", None),
    ]
    assert "no_profile" in figures[0].reason


def test_an_open_window_has_figures_and_no_verdict_yet() -> None:
    """Part of a day is not held against whole days: until it closes its verdicts are inconclusive."""
    found = compared(table(1_000, days=1, shift=2.0))
    figures = judge(found.profile, found.counters, DAY, closed=False)
    assert {figure.verdict for figure in figures if figure.verdict} == {"inconclusive"}
    closed = judge(found.profile, found.counters, DAY)
    assert [figure.value for figure in figures] == [figure.value for figure in closed]


@pytest.mark.parametrize(
    ("metric", "feature", "value", "share", "verdict"),
    [
        ("nulls", "amount", None, 0.5, "fail"),
        ("nulls", "amount", None, 0.1, "warn"),
        ("nulls", "amount", None, 0.02, "ok"),
        ("nonfinite", "amount", float("inf"), 0.3, "fail"),
        ("nonfinite", "amount", float("nan"), 0.1, "warn"),
        ("out_of_range", "amount", 99.0, 0.3, "fail"),
        ("wrong_type", "amount", "twelve", 0.3, "fail"),
        ("unseen", "kind", "new", 0.03, "warn"),
        ("unseen", "kind", "new", 0.2, "fail"),
        ("nulls", "kind", None, 0.5, "fail"),
    ],
)
def test_faulty_values_have_verdicts_of_their_own(
    metric: str, feature: str, value: object, share: float, verdict: str
) -> None:
    """A share of faults far above the reference's warns or fails by its floor."""
    current = table(1_000, days=1)
    column = current[feature].astype(object)
    column[: int(share * 1_000)] = value
    found = compared(current | {feature: column})
    figure = found.figure(feature, metric)
    assert figure.verdict == verdict
    assert figure.value == pytest.approx(share, abs=1e-3)


def test_a_missing_column_fails_and_its_drift_is_inconclusive() -> None:
    """A feature that no longer comes is missing in all rows; nothing is said of its drift."""
    current = table(1_000, days=1)
    del current["amount"]
    found = compared(current)
    assert found.figure("amount", "missing").verdict == "fail"
    assert found.figure("amount").verdict == "inconclusive"
    assert found.figure("kind").verdict == "ok"


def test_a_reference_with_the_same_faults_is_no_fault() -> None:
    """Nulls that the reference has as often are ok."""

    def holed(rows: int, seed: int) -> dict[str, Any]:
        made = table(rows, seed=seed)
        column = made["amount"].astype(object)
        column[::3] = None
        return made | {"amount": column}

    found = compare(holed(9_000, 1), holed(1_000, 2), features=["amount"])
    assert found.figure("amount", "nulls").verdict == "ok"


def test_a_rule_changes_the_limits() -> None:
    """Floors and minimum count come from the rule."""
    strict = Rule(minimum_rows=5_000)
    assert compared(table(1_000, days=1), rule=strict).figure("amount").verdict == "inconclusive"
    lenient = replace(Rule(), warn=90.0, fail=99.0)
    assert compared(table(1_000, days=1, shift=3.0), rule=lenient).figure("amount").verdict == "ok"


@pytest.mark.parametrize(
    ("resolution", "days", "held"),
    [
        ("1M", 30, "1M"),
        ("1M", 21, "1M"),
        ("1M", 20, "7d"),
        ("1M", 3, "1d"),
        ("7d", 5, "7d"),
        ("7d", 4, "1d"),
        ("1d", 1, "1d"),
    ],
)
def test_a_part_of_a_month_is_held_against_narrower_windows(resolution: str, days: int, held: str) -> None:
    """Three days of a month vary as days do, not as months: the first month of a stream raises no alarm for it."""
    current = table(2_000, days=days)
    current["time"] = np.linspace(0, days * DAY_MS - 1, 2_000).astype(np.int64)
    counters = compared(current).counters
    assert held_width(counters, Resolution(resolution)).name == held


@pytest.mark.parametrize("resolution", ["1d", "7d", "1M"])
def test_what_a_worker_keeps_of_a_profile_judges_as_the_whole(resolution: str) -> None:
    """Without history, and with tails cut to the level that is judged at, each figure and threshold is the same.

    Whatever the order of the tails, which another client may have written.
    """
    found = compared(table(30_000, days=30, shift=0.2, seed=2), resolution=resolution)
    whole = found.profile
    disordered = tuple(
        replace(
            column,
            null_tails={
                name: NullTail(tail.windows, np.append(np.nan, tail.largest[::-1]))
                for name, tail in column.null_tails.items()
            },
        )
        for column in whole.columns
    )
    slim = (cut_tails(column.without_history().narrowed(), DEFAULT.level) for column in disordered)
    kept = replace(whole, columns=tuple(slim))
    tails = [tail for column in kept.columns for tail in column.null_tails.values()]
    assert all(len(tail.largest) <= max(DEFAULT.level * (tail.windows + 1), 1) for tail in tails)
    figures = []
    for profile in (whole, kept):
        counters = Counters(Layout(profile, whole.digest()))
        counters.merge(found.counters)
        figures.append(judge(profile, counters, Resolution(resolution)))
    assert figures[0] == figures[1]
    assert any(figure.block is not None for figure in figures[0])


def test_merged_counters_are_judged_like_the_whole() -> None:
    """Figures of parts added up equal those of all rows at once."""
    found = compared(table(2_000, days=1, shift=0.5))
    columns = {
        "features": ["amount", "kind"],
        "scores": ["score"],
        "predicted": "predicted",
        "timestamps": "time",
    }
    batch = batch_of(table(2_000, days=1, shift=0.5), **columns)
    layout = Layout(found.profile)
    total = Counters(layout)
    for part in (slice(0, 700), slice(700, 2_000)):
        piece = Counters(layout)
        piece.fold(batch, part)
        total.merge(piece)
    assert judge(found.profile, total, DAY) == found.figures
