"""Every rule of the advice on retraining, window by window."""

from __future__ import annotations

from dataclasses import replace

import pytest

from driftline.schemas.advice import Advice, Gain
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.window import Figure
from driftline.streams.advice.evidence import Evidence
from driftline.streams.advice.rules import advise, changed, helps

DAY_MS = 86_400_000
MONTH_MS = 30 * DAY_MS
SETTINGS = DeploymentSettings(deployment="churn")
LEANS = DeploymentSettings(deployment="churn", feature_importance={"amount": 0.9, "age": 0.08, "zip": 0.02})
HOLDS = (
    Figure(
        "performance", "", "auc", 0.70, block=0.70, verdict="ok", low=0.66, high=0.74, interval="days",
        rows=9_000,
    ),
    Figure(
        "performance", "", "log_loss", 0.50, block=0.50, verdict="ok", low=0.45, high=0.55, interval="days",
        rows=9_000,
    ),
)  # fmt: skip
FELL = (replace(HOLDS[0], value=0.60, verdict="fail", low=0.57, high=0.63), HOLDS[1])
WARNS = (replace(HOLDS[0], value=0.66, verdict="warn", low=0.65, high=0.67), HOLDS[1])
DOWN = (HOLDS[0], replace(HOLDS[1], value=0.60, low=0.40, high=0.80))
WITHIN = (HOLDS[0], replace(HOLDS[1], value=0.54, low=0.40, high=0.70))
GOOD = Gain(
    candidate="2", metric="auc", value=0.05, low=0.02, high=0.08, interval="days", rows=9_000, days=30
)
NONE = Gain(
    candidate="2", metric="auc", value=0.01, low=-0.02, high=0.04, interval="days", rows=9_000, days=30
)


def psi(feature: str, verdict: str = "fail", level: float = 0.01) -> Figure:
    """Return the figure of a feature that drifted."""
    return Figure(
        "drift",
        feature,
        "psi",
        0.9,
        null=0.01,
        floor=0.1,
        block=0.4,
        verdict=verdict,
        rows=9_000,
        level=level,
    )


def window(*figures: Figure, number: int = 0, **other: object) -> Evidence:
    """Return a mature month with these figures."""
    plain = Evidence(
        "churn", "1", "champion", "1M", number * MONTH_MS, (number + 1) * MONTH_MS, figures, 9_000, 0.99
    )
    return replace(plain, **other)  # type: ignore[arg-type]


def advice(
    *figures: Figure, gains: tuple[Gain, ...] = (), settings: DeploymentSettings = SETTINGS, **other: object
) -> Advice:
    """Return the advice on one month."""
    (found,) = advise([window(*figures, **other)], settings, {0: gains})
    return found


def codes(found: Advice) -> list[str]:
    """Return the reasons in short."""
    return [reason.code for reason in found.reasons]


def test_a_fall_with_an_unknown_gain_is_retrain_and_says_so() -> None:
    """Performance failed over days, nothing was compared: retrain, the fall with its interval, gain unknown."""
    found = advice(*FELL)
    assert found.advice == "retrain"
    assert codes(found) == ["performance fell", "gain: unknown"]
    assert found.gain is None
    fell = found.fell
    assert fell is not None
    assert (fell.metric, fell.interval, fell.figure, fell.reference) == ("auc", "days", 0.60, 0.70)
    assert (fell.value, fell.low, fell.high) == pytest.approx((0.10, 0.07, 0.13))
    assert found.reasons[0].sentence == (
        "auc is 0.600 against 0.700 in the reference: 0.100 worse "
        "(95 % interval of the figure over days: +0.070 to +0.130)."
    )


def test_a_fall_with_a_gain_above_zero_is_retrain() -> None:
    """The gain stands with its interval, rows and days."""
    found = advice(*FELL, gains=(GOOD,))
    assert found.advice == "retrain"
    assert codes(found) == ["performance fell", "a refit helps"]
    assert found.gain == GOOD
    assert "2 has auc +0.050 (+0.020 to +0.080) on the same 9,000 labelled rows" in found.reasons[1].sentence


def test_a_fall_that_a_refit_does_not_mend_is_watch() -> None:
    """A gain that is not above zero turns retrain into watch, and that is the first reason."""
    found = advice(*FELL, gains=(NONE,))
    assert found.advice == "watch"
    assert codes(found) == ["a refit does not help", "performance fell"]


def test_a_candidate_that_is_worse_in_one_figure_does_not_help() -> None:
    """Better AUC and worse log loss, both beyond their intervals: no help."""
    worse = replace_gain(GOOD, metric="log_loss", value=-0.1, low=-0.2, high=-0.05)
    assert helps((GOOD,))
    assert not helps((GOOD, worse))
    assert advice(*FELL, gains=(GOOD, worse)).advice == "watch"


def test_independent_rows_alone_never_lead_to_retrain() -> None:
    """A failure of fewer than 20 days is watch; with a gain over days it is retrain."""
    iid = (replace(FELL[0], interval="iid"), HOLDS[1])
    assert (advice(*iid).advice, codes(advice(*iid))[0]) == ("watch", "interval: iid")
    assert advice(*iid, gains=(replace_gain(GOOD, interval="iid"),)).advice == "watch"
    assert advice(*iid, gains=(GOOD,)).advice == "retrain"


def test_bounds_of_an_auc_are_no_interval() -> None:
    """Bounds say what bins hide, so a fall with bounds has no interval and cannot lead to retrain."""
    bounds = (replace(FELL[0], interval="bounds"), HOLDS[1])
    found = advice(*bounds)
    assert found.advice == "watch"
    assert found.fell is not None
    assert (found.fell.low, found.fell.interval) == (None, "")


def test_down_within_what_days_explain_needs_a_gain() -> None:
    """A log loss up by a fifth, judged ok over days: retrain only with a gain that is known over days."""
    assert codes(advice(*DOWN)) == ["performance may have fallen", "gain: unknown"]
    assert advice(*DOWN).advice == "watch"
    helped = advice(*DOWN, gains=(GOOD,))
    assert (helped.advice, codes(helped)) == ("retrain", ["a refit helps", "performance may have fallen"])
    assert helped.fell is not None
    assert helped.fell.value == pytest.approx(0.2)
    assert advice(*DOWN, gains=(replace_gain(GOOD, interval="iid"),)).advice == "watch"
    assert codes(advice(*DOWN, gains=(NONE,)))[0] == "a refit does not help"


@pytest.mark.parametrize("figures", [WARNS, WITHIN])
def test_the_floor_of_a_warning_is_watch_whatever_a_refit_does(figures: tuple[Figure, ...]) -> None:
    """Not enough fell for retraining, with or without a gain."""
    for gains in ((), (GOOD,), (NONE,)):
        assert advice(*figures, gains=gains).advice == "watch"


def test_inputs_drift_and_performance_holds_is_no_need() -> None:
    """Important inputs may drift as they like while labels say that the model does its job."""
    found = advice(*HOLDS, psi("amount"), settings=LEANS)
    assert found.advice == "no need"
    assert codes(found) == ["performance holds", "important inputs drifted"]
    assert found.expected_per_year is None
    assert found.reasons[1].sentence == "amount (PSI 0.90, limit 0.40, 90 % of the importance)."


def test_unimportant_inputs_drift_is_no_need() -> None:
    """With performance that holds, and without labels too."""
    held, early = (
        advice(*HOLDS, psi("zip"), settings=LEANS),
        advice(psi("zip"), settings=LEANS, labels=0, coverage=0.0, provisional=True),
    )
    assert (held.advice, early.advice) == ("no need", "no need")
    assert codes(early) == ["truth is not there yet", "unimportant inputs drifted"]
    assert [one.important for one in held.features] == [False]


@pytest.mark.parametrize("state", [{"provisional": True}, {"labels": 0, "coverage": None}])
def test_truth_that_is_not_there_is_watch_only_when_something_points(state: dict[str, object]) -> None:
    """Important inputs or the estimate make it watch; a failure on early labels is not looked at."""
    assert advice(*FELL, settings=LEANS, **state).advice == "no need"
    pointed = advice(*FELL, psi("amount"), settings=LEANS, **state)
    assert (pointed.advice, codes(pointed)[0]) == ("watch", "truth is not there yet")
    assert pointed.fell is None
    estimated = Figure("estimate", "", "auc", 0.6, block=0.7, verdict="fail", rows=9_000)
    guessed = advice(estimated, settings=LEANS, **state)
    assert (guessed.advice, codes(guessed)) == ("watch", ["truth is not there yet", "the estimate fell"])


def test_performance_without_a_verdict_says_why() -> None:
    """Inconclusive figures are no verdict: watch when important inputs drift, with the figure's own reason."""
    why = "The reference scores are in-sample: the model learned from those rows."
    silent = tuple(replace(one, verdict="inconclusive", reason=why) for one in FELL)
    found = advice(*silent, psi("amount"), settings=LEANS)
    assert (found.advice, found.reasons[0].code) == ("watch", "performance is not judged")
    assert found.reasons[0].sentence == why
    assert advice(*silent, settings=LEANS).advice == "no need"


def test_without_importance_every_feature_counts() -> None:
    """Nobody said what the model leans on, so any drift is worth a look while truth is missing."""
    found = advice(psi("zip"), labels=0, provisional=True)
    assert found.advice == "watch"
    assert found.features[0].importance is None


def test_the_declared_metric_alone_decides() -> None:
    """With log_loss as the primary metric a fall of the AUC is not looked at."""
    settings = DeploymentSettings(deployment="churn", primary_metric="log_loss")
    assert advice(*FELL, settings=settings).advice == "no need"
    assert advice(*FELL).advice == "retrain"


def test_segments_and_classes_do_not_decide() -> None:
    """A failure in one segment or of one class is no advice on the whole model."""
    part = (replace(FELL[0], segment="region=north"), replace(FELL[0], feature="yes"))
    assert advice(*HOLDS, *part).advice == "no need"


def test_since_is_the_first_window_of_an_unbroken_row() -> None:
    """The same word keeps its beginning, another one starts anew."""
    months = [
        window(*figures, number=number) for number, figures in enumerate((HOLDS, FELL, FELL, HOLDS, FELL))
    ]
    found = advise(months, SETTINGS)
    assert [one.since_ms // MONTH_MS for one in found] == [0, 1, 1, 3, 4]


def test_a_change_is_another_word() -> None:
    """People hear of the first advice unless it is no need, and then of each other word."""
    fine, bad = advice(*HOLDS), advice(*FELL)
    assert [
        changed(None, fine),
        changed(None, bad),
        changed(fine, bad),
        changed(bad, bad),
        changed(bad, fine),
    ] == [*(False, True, True, False, True)]


def test_the_expected_number_a_year_follows_from_the_levels() -> None:
    """Levels of what could have led here, added, times the windows of a year; a known gain makes it rarer."""
    windows = 365.25 / 30
    assert advice(*FELL).expected_per_year == pytest.approx(windows * 2 * 0.025)
    known = tuple(replace(one, level=0.001) for one in FELL)
    assert advice(*known).expected_per_year == pytest.approx(windows * 0.002)
    assert advice(*known, gains=(GOOD,)).expected_per_year == pytest.approx(windows * 0.002 * 0.025)
    early = advice(psi("amount"), psi("zip"), settings=LEANS, labels=0, provisional=True)
    assert early.expected_per_year == pytest.approx(windows * 0.01)


def test_the_deciding_gain_is_above_zero() -> None:
    """Of several gains the one above zero comes first, and those of figures that do not count are left out."""
    loss = replace_gain(NONE, metric="log_loss")
    other = replace_gain(GOOD, metric="accuracy")
    found = advice(*DOWN, gains=(loss, other, GOOD))
    assert [one.metric for one in found.gains] == ["auc", "log_loss"]


def test_a_gain_without_an_interval_is_unknown() -> None:
    """What has no interval says nothing, for or against."""
    bare = replace_gain(GOOD, low=None, high=None, interval="")
    assert codes(advice(*FELL, gains=(bare,))) == ["performance fell", "gain: unknown"]


def test_important_features_come_first() -> None:
    """Features that drifted stand by importance, then by PSI, with their share and whether they count."""
    found = advice(*HOLDS, psi("zip"), psi("age", "warn"), psi("amount"), settings=LEANS)
    assert [(one.feature, one.important) for one in found.features] == [
        *(("amount", True), ("age", True), ("zip", False))
    ]
    assert [one.importance for one in found.features] == pytest.approx([0.9, 0.08, 0.02])


def replace_gain(gain: Gain, **values: object) -> Gain:
    """Return a gain with other values."""
    return Gain(**({name: getattr(gain, name) for name in gain.__struct_fields__} | values))
