"""Groups held against each other: by whom, when a criterion speaks, and when it does not."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.streams.stats.contrast import difference, ratio
from driftline.streams.stats.criteria import RATES
from driftline.streams.stats.fairness import MOST_GROUPS, FairnessRow, fairness
from driftline.streams.stats.proportion import proportion


def groups_of(selected: dict[str, tuple[int, int]], named: str | None = None) -> list[FairnessRow]:
    """Fairness of groups with so many selected of so many rows, all rightly."""
    confusions = [[[rows - hits, 0], [0, hits]] for hits, rows in selected.values()]
    return fairness(list(selected), confusions, named)


def criterion(rows: list[FairnessRow], name: str) -> FairnessRow:
    """Find a criterion."""
    return next(row for row in rows if row.metric == name)


def test_each_group_has_every_rate_with_its_rows() -> None:
    """TPR stands on the positives, FPR on the negatives, PPV on the selected, and an empty one is unknown."""
    found = {row.metric: row for row in fairness(["a"], [[40, 10, 0, 0]])}
    assert [(found[name].value, found[name].rows) for name in RATES] == [
        (0.2, 50),
        (None, 0),
        (0.2, 50),
        (0.0, 10),
    ]


def test_a_small_group_is_compared_but_is_not_the_best() -> None:
    """A group of 20 with the highest rate is held against the best of those with 100 rows."""
    rows = groups_of({"small": (20, 20), "large": (500, 1000), "other": (400, 1000)})
    held = {row.group: row.other for row in rows if row.metric == "selection_rate_ratio"}
    assert held == {"small": "large", "other": "large"}


def test_a_gap_past_the_threshold_beyond_chance_fails() -> None:
    """Half the selection rate over thousands of rows fails four fifths, and says whose it is."""
    found = criterion(groups_of({"a": (500, 1000), "b": (250, 1000)}), "four_fifths")
    assert (found.verdict, found.group, found.other, found.value) == ("fail", "b", "a", 0.5)
    assert found.reason == "Selection rate of b is 0.5 of that of a; at least 0.8 is asked for."


def test_a_gap_past_the_threshold_within_chance_is_inconclusive() -> None:
    """0.7 of the rate over 100 rows each may be chance, and is no failure."""
    found = criterion(groups_of({"a": (50, 100), "b": (35, 100)}), "four_fifths")
    assert found.verdict == "inconclusive"
    assert found.reason.endswith("so few rows may show that by chance.")


def test_groups_within_the_threshold_are_ok() -> None:
    """A gap of 0.05 is within demographic parity."""
    assert criterion(groups_of({"a": (500, 1000), "b": (450, 1000)}), "demographic_parity").verdict == "ok"


def test_small_groups_keep_a_criterion_from_being_ok() -> None:
    """Where two groups are alike and a third is too small to tell, the criterion says which."""
    found = criterion(groups_of({"a": (50, 100), "b": (48, 100), "tiny": (1, 9)}), "demographic_parity")
    assert found.verdict == "inconclusive"
    assert "tiny with fewer than 100 rows" in found.reason


def test_one_group_alone_is_compared_with_nobody() -> None:
    """A segment with one value has rates and no verdict."""
    rows = groups_of({"a": (50, 100)})
    assert not [row for row in rows if row.metric.endswith(("difference", "ratio"))]
    assert {row.verdict for row in rows if row.verdict} == {"inconclusive"}
    assert criterion(rows, "four_fifths").reason == "Nothing to compare: no second group."


def test_a_named_group_is_held_against_beside_the_best() -> None:
    """With a named group each other one has figures to it, and criteria look at pairs with it alone."""
    rows = groups_of({"a": (900, 1000), "b": (500, 1000), "c": (490, 1000)}, named="b")
    held = {row.group: row.other for row in rows if row.metric == "selection_rate_ratio_to_named"}
    assert held == {"a": "b", "c": "b"}
    worst = criterion(rows, "four_fifths")
    assert {worst.group, worst.other} == {"a", "b"}


def test_a_named_group_without_rows_is_said() -> None:
    """A named group that no row is of leaves nothing to compare, and the reason names it."""
    rows = groups_of({"a": (50, 100), "b": (50, 100)}, named="z")
    assert criterion(rows, "four_fifths").reason == "Nothing to compare: no row of z."


def test_only_the_largest_groups_are_held_against_each_other() -> None:
    """Of a segment with more values than are compared, the small ones have rates alone."""
    many = {f"g{at}": (50, 100 + at) for at in range(MOST_GROUPS + 20)}
    rows = groups_of(many)
    assert sum(row.metric == "selection_rate" for row in rows) == len(many)
    assert sum(row.metric == "selection_rate_ratio" for row in rows) == MOST_GROUPS - 1


@pytest.mark.parametrize(
    ("p", "q", "m", "n"), [(0.5, 0.4, 150, 150), (0.1, 0.05, 200, 1000), (0.9, 0.6, 60, 400)]
)
def test_contrasts_cover(p: float, q: float, m: int, n: int) -> None:
    """95 % intervals of differences and ratios hold the true one in 93 to 98 % of 2,000 draws."""
    rng = np.random.default_rng(m)
    covered = np.zeros(2)
    for one, other in zip(
        rng.binomial(m, p, 2_000).tolist(), rng.binomial(n, q, 2_000).tolist(), strict=True
    ):
        for at, (contrast, truth) in enumerate(((difference, p - q), (ratio, p / q))):
            found = contrast(proportion(one, m), proportion(other, n))
            if found.low is not None and found.high is not None:
                covered[at] += found.low <= truth <= found.high
    assert ((covered / 2_000 > 0.93) & (covered / 2_000 < 0.98)).all(), covered
