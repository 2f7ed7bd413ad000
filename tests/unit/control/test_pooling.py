"""Figures of several windows as one: by their rows, and never surer than rows are by and large."""

from __future__ import annotations

import numpy as np
import pytest
from rollout_windows import BOUND, truth, window

from driftline.agents.control.controller.comparing import measured
from driftline.agents.control.controller.pooling import Told, of_classes, pooled, row_error, told
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.window import Figure, WindowResult


def figure(metric: str, value: float, rows: int, error: float = 0.0) -> Figure:
    """Return a figure with a 95 % interval; without one where its error is 0."""
    half = 1.96 * error
    low, high = (value - half, value + half) if half else (None, None)
    return Figure(
        "performance", "", metric, value, low=low, high=high, interval="iid" if half else "", rows=rows
    )


def canary(*figures: Figure) -> WindowResult:
    """Return a window of a canary."""
    return window("accuracy", "2", "canary", *figures)


def by(metric: str) -> DeploymentSettings:
    """Return settings with a primary metric."""
    return DeploymentSettings(deployment="churn", primary_metric=metric)


def test_windows_count_by_their_rows() -> None:
    """Not by how sure each is of itself: the one that looks best by chance is, and would count most."""
    lucky, others = Told(0.9, 100, 0.001), [Told(0.7, 300, 0.05)]
    found = pooled([lucky, *others], "accuracy", 0.0)
    assert found is not None
    assert found[0] == pytest.approx(0.75)
    assert found[1] == pytest.approx(np.hypot(100 * 0.001, 300 * 0.05) / 400)


def test_squares_are_what_rows_add_up_to_in_an_rmse() -> None:
    """The RMSE of two windows is that of all their rows, and its error is theirs."""
    rng = np.random.default_rng(7)
    errors = rng.normal(0, 2, 1_000)
    parts = np.split(errors, [250])
    windows = [Told(float(np.sqrt((one**2).mean())), len(one), 0.1) for one in parts]
    found = pooled(windows, "rmse", 0.0)
    assert found is not None
    assert found[0] == pytest.approx(float(np.sqrt((errors**2).mean())))


def test_an_f1_is_that_of_all_its_rows() -> None:
    """By those called so and those that are so: 2 of 4 and 3, then 1 of 2 and 5, is 3 of 14 halves."""
    windows = [
        canary(figure("f1", 4 / 7, 1_000, 0.1), figure("precision", 0.5, 4), figure("recall", 2 / 3, 3)),
        canary(figure("f1", 2 / 7, 1_000, 0.1), figure("precision", 0.5, 2), figure("recall", 0.2, 5)),
    ]
    found = pooled(told("performance", "f1", windows), "f1", 0.0)
    assert found is not None
    assert found[0] == pytest.approx(6 / 14)


def of_class(name: str, called: int, hits: int, labels: int) -> list[Figure]:
    """Return what a window tells of a class."""
    found = [figure("precision", 0.5, called), figure("recall", hits / labels if labels else 0.0, labels)]
    for one in found:
        one.feature = name
        one.value = one.value if one.rows else None
    return found


def test_a_macro_f1_is_that_of_all_rows() -> None:
    """Of class a 30 of 40 and 50, of b 10 of 20 and 20: (60/90 + 20/40) / 2, though the windows' own are others."""
    one = canary(figure("macro_f1", 0.5, 40, 0.1), *of_class("a", 20, 10, 20), *of_class("b", 20, 10, 20))
    more = canary(figure("macro_f1", 0.6, 30, 0.1), *of_class("a", 20, 20, 30), *of_class("b", 0, 0, 0))
    found = of_classes("performance", [one, more], [one])
    assert found is not None
    assert [value for value, _ in found.sides] == pytest.approx([(60 / 90 + 20 / 40) / 2, 0.5])
    whole = pooled(told("performance", "macro_f1", [one, more]), "macro_f1", 0.0, (0.58, 0.2))
    assert whole == (0.58, 0.2)
    assert of_classes("performance", [canary(figure("macro_f1", 0.5, 4))], [one, more][:0]) is None


def test_a_class_of_few_rows_is_left_out_of_both() -> None:
    """Nine rows of b beside a thousand: what the canary makes of them is chance."""
    few = canary(figure("macro_f1", 0.5, 100, 0.1), *of_class("a", 90, 80, 91), *of_class("b", 10, 0, 9))
    many = canary(
        figure("macro_f1", 0.9, 2_000, 0.01),
        *of_class("a", 1_000, 900, 1_000),
        *of_class("b", 1_000, 900, 1_000),
    )
    found = of_classes("performance", [few], [many])
    assert found is not None
    assert [value for value, _ in found.sides] == pytest.approx([160 / 181, 0.9])
    none = of_classes("performance", [canary(*of_class("a", 9, 9, 9))], [many])
    assert none is not None
    assert np.isnan(none.sides).all()


def test_a_macro_f1_of_few_classes_is_less_sure_than_of_many() -> None:
    """Drawn again and again, what is said of its error is what it has, or up to the half more."""
    draw, found = np.random.default_rng(1), []
    for _ in range(400):
        truth = draw.integers(0, 3, 120)
        said = np.where(draw.random(120) < 0.8, truth, draw.integers(0, 3, 120))
        pairs = np.bincount(3 * truth + said, minlength=9).reshape(3, 3)
        counts = [(str(k), int(pairs[:, k].sum()), int(pairs[k, k]), int(pairs[k].sum())) for k in range(3)]
        figures = [one for count in counts for one in of_class(*count)]
        whole = of_classes("performance", [canary(figure("macro_f1", 0.8, 120, 0.001), *figures)])
        assert whole is not None
        found += whole.sides
    values, errors = np.array(found).T
    assert 0.95 <= errors.mean() / values.std() <= 1.5


def test_in_a_bake_time_small_windows_are_no_worse_for_that() -> None:
    """A macro F1 of few rows is less by itself: all rows of either champion are held against each other."""
    new = [canary(figure("macro_f1", 0.5, 30, 0.05), *of_class("a", 30, 27, 30))] * 24
    many = of_class("a", 3_000, 2_700, 3_000)
    old = [
        window("accuracy", "1", "champion", figure("macro_f1", value, 3_000, 0.005), *many)
        for value in (0.89, 0.9, 0.91, 0.9, 0.9)
    ]
    assert measured("performance", new, old, by("macro_f1"), apart=True)[0] == "pass"


@pytest.mark.parametrize("value", [5.0, -0.1, -3.0, np.inf])
def test_a_number_that_no_auc_can_be_is_none(value: float) -> None:
    """Whoever wrote it: neither version is worse or better by it."""
    wrong = [canary(figure("auc", value, 5_000, 0.01))] * 4
    right = [window("accuracy", "1", "champion", figure("auc", 0.8, 5_000, 0.01))] * 4
    assert [measured("performance", *sides, by("auc"))[0] for sides in ((wrong, right), (right, wrong))] == [
        "wait"
    ] * 2


def test_what_bins_hide_is_no_chance() -> None:
    """It grows by no fewer rows: it is added to what chance is."""
    windows = [Told(0.8, 10_000, 0.004, 0.01)] * 4
    found = pooled(windows, "auc", row_error(windows))
    assert found == (pytest.approx(0.8), pytest.approx(0.002 + 0.005))
    few = pooled([Told(0.8, 100, 0.04, 0.01)], "auc", row_error(windows))
    assert few == (pytest.approx(0.8), pytest.approx(0.04 + 0.01))


def test_few_rows_that_agree_are_not_surer_than_others() -> None:
    """Of one row by the others 0.3: of a hundred that all agree 0.03."""
    sure = [Told(0.5, 900, 0.01)]
    assert row_error(sure) == pytest.approx(0.3)
    assert pooled([Told(0.0, 100, 0.0)], "f1", row_error(sure)) == pytest.approx((0.0, 0.03))
    assert pooled([Told(0.0, 100, 0.0)], "f1", 0.0) is None


@pytest.mark.parametrize("metric", ["f1", "balanced_accuracy"])
def test_a_canary_that_never_says_yes_is_worse(metric: str) -> None:
    """Not one hit of 1,200: no window tells how sure that is, and the champion's do."""
    new = [canary(figure(metric, 0.0, 5_000)) for _ in range(12)]
    old = [window("accuracy", "1", "champion", figure(metric, 0.6, 5_000, 0.03)) for _ in range(12)]
    assert measured("performance", new, old, by(metric))[0] == "worse"


def test_an_auc_of_one_is_as_sure_as_the_others_rows() -> None:
    """Ranks that are all right have no error of their own; two that are held against nothing tell nothing."""
    perfect = [canary(Figure("performance", "", "auc", 1.0, low=1.0 - BOUND, high=1.0, interval="bounds", rows=1_000),
                      Figure("performance", "", "auc_error", 0.0, rows=1_000))]  # fmt: skip
    assert measured("performance", perfect, [truth("1", "champion")], by("auc"))[0] == "pass"
    assert measured("performance", perfect, perfect, by("auc"))[0] == "wait"


def test_a_worse_regression_of_small_windows_does_not_pass() -> None:
    """Errors 15 % larger, heavy-tailed, 250 rows a window beside 4,750: of fifty canaries hardly one passes."""
    rng = np.random.default_rng(20261128)

    def of(rows: int, scale: float) -> Figure:
        squares = (rng.lognormal(0, 1.5, rows) * scale) ** 2
        value = float(np.sqrt(squares.mean()))
        return figure("rmse", value, rows, float(squares.std() / np.sqrt(rows) / (2 * value)))

    passed = 0
    for _ in range(50):
        new = [canary(of(250, 1.15)) for _ in range(12)]
        old = [window("accuracy", "1", "champion", of(4_750, 1.0)) for _ in range(12)]
        passed += measured("performance", new, old, by("rmse"))[0] == "pass"
    assert passed <= 2


def test_an_estimate_is_no_surer_nor_less_sure_by_the_rows_of_the_other() -> None:
    """What its calibration leaves unknown is the same of few rows and many: a worse canary of few rows is told of."""

    def guessed(version: str, slot: str, value: float, rows: int) -> WindowResult:
        one = figure("auc", value, rows, 0.007)
        one.kind = "estimate"
        return window("accuracy", version, slot, one)

    new = [guessed("2", "canary", 0.777, 1_000)] * 4
    old = [guessed("1", "champion", 0.824, 99_000)] * 4
    assert measured("estimate", new, old, by("auc"))[0] == "worse"


@pytest.mark.parametrize(
    ("called", "hits", "labels"), [(0, 10, 10), (150, 200, 200), (10, 30, 10), (10, -3, 10)]
)
def test_counts_that_cannot_be_let_nobody_pass(called: int, hits: int, labels: int) -> None:
    """More hits than calls, or a recall that is no share: with the class left out, what is worse in it would pass."""
    odd = canary(
        figure("macro_f1", 0.5, 100, 0.1), *of_class("a", 90, 80, 91), *of_class("b", called, hits, labels)
    )
    right = [
        window(
            "accuracy",
            "1",
            "champion",
            *odd.figures[:1],
            *of_class("a", 100, 90, 100),
            *of_class("b", 100, 90, 100),
        )
    ]
    for sides in (([odd], right), (right, [odd])):
        assert measured("performance", *sides, by("macro_f1"))[0] == "wait"


def test_counts_that_cannot_be_hide_nobody_who_is_worse() -> None:
    """What is far worse in the other classes is taken back, though one class of one window is odd."""
    of_others = [one for name in "abc" for one in of_class(name, 100, 30, 100)]
    odd = canary(figure("macro_f1", 0.3, 400, 0.02), *of_others, *of_class("d", 10, 30, 10))
    well = [one for name in "abcd" for one in of_class(name, 100, 90, 100)]
    right = window("accuracy", "1", "champion", figure("macro_f1", 0.9, 400, 0.02), *well)
    verdict, said = measured("performance", [odd], [right], by("macro_f1"))
    assert (verdict, "without classes whose counts cannot be" in said) == ("worse", True)
