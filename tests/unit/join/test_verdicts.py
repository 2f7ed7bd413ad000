"""Verdicts on performance and on its estimate: what is judged, when it is held back, and what it is held against."""

from __future__ import annotations

from dataclasses import replace

import pytest
from judged_windows import CHURN, CLOSED, KINDS, PRICE, counted, figures, terms_of
from truth_models import MODELS, Model, profile_of_model

from driftline.schemas.floors import PRIMARY, Floor
from driftline.schemas.profile import Profile
from driftline.streams.join.scheme_of import scheme_of
from driftline.streams.join.verdict import NO_TRUTH, OTHER_CUT, OTHER_QUESTION, Stage
from driftline.streams.join.yardstick import yardstick_of
from driftline.streams.stats.estimate import NONE_FOR_REGRESSION, NONE_IN_SAMPLE, SEES
from driftline.streams.windows.judge import OPEN, UNCOMPARED

THREE = pytest.mark.parametrize("model", [CHURN, KINDS, PRICE], ids=lambda model: model.task)


@THREE
def test_as_good_as_the_reference_is_ok(model: Model) -> None:
    """Rows drawn as the reference's are: every primary metric is ok, against the reference's value and floor."""
    terms = terms_of(model)
    found = figures(terms, counted(model, terms.scheme))
    for metric in PRIMARY[terms.scheme.task]:
        judged = found["performance", "", metric]
        assert (judged.verdict, judged.block is not None, judged.floor is not None) == ("ok", True, True)
        assert judged.reference_rows > 0


@THREE
def test_much_worse_fails(model: Model) -> None:
    """With the truth of half of the rows turned every primary metric fails, and says by how much."""
    terms = terms_of(model)
    found = figures(terms, counted(model, terms.scheme, wrong=0.5))
    for metric in PRIMARY[terms.scheme.task]:
        judged = found["performance", "", metric]
        assert judged.verdict == "fail"
        assert judged.reason.startswith(metric)
        assert judged.reason.endswith("fails.")


def test_only_the_primary_metrics_have_verdicts() -> None:
    """A declared metric takes the place of the defaults; all the others have the reference's value and no verdict."""
    terms = terms_of(CHURN, primary_metric="accuracy", floors={"accuracy": Floor(warn=0.2, fail=0.9)})
    found = figures(terms, counted(CHURN, terms.scheme, wrong=0.5))
    whole = {
        metric: one for (kind, segment, metric), one in found.items() if kind == "performance" and not segment
    }
    assert [metric for metric, one in whole.items() if one.verdict] == ["accuracy"]
    assert whole["accuracy"].verdict == "warn"
    assert whole["accuracy"].floor == pytest.approx(whole["accuracy"].block - 0.2)
    assert whole["auc"].block is not None


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        (Stage(closed=False, provisional=""), OPEN),
        (Stage(closed=False, provisional="more are to come"), OPEN),
        (Stage(closed=True, provisional="more are to come"), "more are to come"),
    ],
)
def test_open_and_provisional_windows_are_inconclusive(stage: Stage, reason: str) -> None:
    """However bad a window looks, until it has closed and its labels are there it has no verdict, and says why."""
    terms = terms_of(CHURN)
    found = figures(terms, counted(CHURN, terms.scheme, wrong=0.5), stage)
    for metric in PRIMARY["binary"]:
        judged = found["performance", "", metric]
        assert (judged.verdict, judged.reason) == ("inconclusive", reason)


def test_too_few_labels_are_inconclusive() -> None:
    """Below the settings' least rows there is no verdict; the sentence speaks of labels."""
    terms = terms_of(CHURN, minimum_rows=500)
    few = figures(terms, counted(CHURN, terms.scheme, rows=499, wrong=0.5))["performance", "", "log_loss"]
    assert few.verdict == "inconclusive"
    assert "rows with a label; a verdict needs 500" in few.reason
    enough = figures(terms, counted(CHURN, terms.scheme, rows=500, wrong=0.5))["performance", "", "log_loss"]
    assert enough.verdict == "fail"


def test_no_label_at_all_is_inconclusive() -> None:
    """A window without labels has coverage 0, no figure, no verdict but inconclusive, and an estimate."""
    terms = terms_of(CHURN)
    found = figures(terms, counted(CHURN, terms.scheme, labelled=0.0))
    assert found["performance", "", "coverage"].value == 0.0
    assert found["performance", "", "log_loss"].value is None
    assert found["performance", "", "log_loss"].verdict == "inconclusive"
    assert found["estimate", "", "log_loss"].verdict == "ok"


@pytest.mark.parametrize("provenance", sorted(UNCOMPARED))
def test_in_sample_scores_are_no_reference(provenance: str) -> None:
    """Against scores of rows that the model learned from nothing is judged or estimated."""
    terms = terms_of(CHURN, provenance=provenance)
    found = figures(terms, counted(CHURN, terms.scheme, wrong=0.5))
    judged = found["performance", "", "auc"]
    assert (judged.verdict, judged.reason) == ("inconclusive", UNCOMPARED[provenance])
    assert found["estimate", "", "auc"].reason == NONE_IN_SAMPLE


def test_a_profile_without_truth_says_so() -> None:
    """Without truth in the profile there is a figure and no verdict, and the sentence says what to do."""
    profile = replace(profile_of_model(CHURN, "1", 1), truth=None)
    terms = terms_of(CHURN, profile=profile)
    found = figures(terms, counted(CHURN, terms.scheme))
    assert found["performance", "", "auc"].value is not None
    assert found["performance", "", "auc"].reason == NO_TRUTH
    assert found["estimate", "", "auc"].reason == NO_TRUTH


def test_another_threshold_leaves_what_scores_alone_say() -> None:
    """Cut elsewhere than the reference, AUC and log loss are judged, and accuracy is held against nothing."""
    terms = terms_of(CHURN, threshold=0.3)
    found = figures(terms, counted(CHURN, terms.scheme))
    assert found["performance", "", "auc"].verdict in ("ok", "warn", "fail")
    assert found["performance", "", "accuracy"].block is None
    terms = terms_of(CHURN, threshold=0.3, primary_metric="accuracy")
    judged = figures(terms, counted(CHURN, terms.scheme))["performance", "", "accuracy"]
    assert (judged.verdict, judged.reason) == ("inconclusive", OTHER_CUT)


@pytest.mark.parametrize("given", [{"positive_class": "0"}, {"task": "classes"}])
def test_another_question_than_the_reference_answers(given: dict[str, object]) -> None:
    """With another positive class or task nothing is held against the reference, which would mislead."""
    terms = terms_of(CHURN, **given)
    found = figures(terms, counted(CHURN, terms.scheme))
    judged = found["performance", "", PRIMARY[terms.scheme.task][0]]
    assert (judged.verdict, judged.reason, judged.block) == ("inconclusive", OTHER_QUESTION, None)


def test_estimates_see_scores_and_not_truth() -> None:
    """A turned truth leaves the estimate ok, beside the failure; its reason says what it cannot see."""
    terms = terms_of(CHURN)
    found = figures(terms, counted(CHURN, terms.scheme, wrong=0.5))
    estimated = found["estimate", "", "auc"]
    assert (estimated.verdict, found["performance", "", "auc"].verdict) == ("ok", "fail")
    assert estimated.reason.endswith(SEES)
    assert estimated.low < estimated.value < estimated.high


def test_estimates_of_open_windows_have_values_alone() -> None:
    """An open window has estimates without intervals, and no verdict."""
    terms = terms_of(KINDS)
    found = figures(terms, counted(KINDS, terms.scheme), Stage(closed=False, provisional=""))
    estimated = found["estimate", "", "macro_f1"]
    assert (estimated.low, estimated.verdict, estimated.reason) == (None, "inconclusive", OPEN)


def test_a_regression_has_no_estimate() -> None:
    """One figure without a value says that there is none, and why."""
    terms = terms_of(PRICE)
    found = figures(terms, counted(PRICE, terms.scheme))
    assert [(one.value, one.reason) for (kind, *_), one in found.items() if kind == "estimate"] == [
        (None, NONE_FOR_REGRESSION)
    ]


@THREE
def test_values_of_a_segment_are_judged_too(model: Model) -> None:
    """Each value of the segment has coverage and primary metrics, held against the reference's rows of that value."""
    terms = terms_of(model)
    found = figures(terms, counted(model, terms.scheme))
    held = terms.yardstick.groups
    for value in ("north", "south", "west"):
        for metric in PRIMARY[terms.scheme.task]:
            judged = found["performance", f"region={value}", metric]
            assert judged.verdict == "ok"
            assert judged.block == held["region", value][metric, ""].value
        assert found["performance", f"region={value}", "coverage"].value == 1.0
    assert found["performance", "region=(no value)", "coverage"].rows > 0


def test_segments_of_open_windows_have_no_figures() -> None:
    """Values of segments are told when a window closes, and fairness over labels that are to come is not judged."""
    terms = terms_of(CHURN)
    outcomes = counted(CHURN, terms.scheme)
    assert not [
        one for one in figures(terms, outcomes, Stage(closed=False, provisional="")).values() if one.segment
    ]
    waiting = figures(terms, outcomes, Stage(closed=True, provisional="more are to come"))
    judged = {metric: one for (kind, _, metric), one in waiting.items() if kind == "fairness" and one.verdict}
    assert judged["equal_opportunity"].reason == "more are to come"
    assert judged["demographic_parity"].verdict == "ok"
    closed = figures(terms, outcomes, CLOSED)
    told = {metric: one for (kind, _, metric), one in closed.items() if kind == "fairness" and one.verdict}
    assert told["equal_opportunity"].reason != "more are to come"


@pytest.mark.parametrize("model", MODELS[1:3], ids=lambda model: model.task)
def test_fairness_is_of_two_classes(model: Model) -> None:
    """Many classes and numbers have performance by segment, and no rates of a yes."""
    terms = terms_of(model)
    assert not [kind for kind, *_ in figures(terms, counted(model, terms.scheme)) if kind == "fairness"]


def test_without_a_profile_labels_alone_are_counted() -> None:
    """An unknown version has coverage and a reason."""
    terms = terms_of(CHURN)._replace(scheme=None, yardstick=None)
    found = figures(terms, counted(CHURN, None, labelled=0.5))
    (coverage,) = found.values()
    assert 0.4 < coverage.value < 0.6
    assert coverage.reason.startswith("no_profile")


def test_yardsticks_survive_their_bytes() -> None:
    """A profile read back gives the same yardstick, figure by figure."""
    for model in (CHURN, KINDS, PRICE):
        profile = profile_of_model(model, "1", 1)
        digest = profile.digest()
        again = Profile.from_bytes(profile.to_bytes())
        first, second = (yardstick_of(one, scheme_of(one, digest)) for one in (profile, again))
        assert first.figures == second.figures
        assert first.total == second.total
