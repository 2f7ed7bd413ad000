"""Schemes: what a profile and the settings of its deployment make of a model's answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from counting import batch, profile_of
from truth_models import MODELS, profile_of_model

from driftline.schemas.deployment import DeploymentSettings, Segment
from driftline.streams.join.scheme import SPLIT, Scheme
from driftline.streams.join.scheme_of import COARSE_BINS, SEGMENTS_MAX, scheme_of

CHURN, KINDS, PRICE = (profile_of_model(model, "1", 1) for model in MODELS[:3])


def told(profile: object, **given: object) -> Scheme:
    """The scheme under settings given by name."""
    settings = DeploymentSettings(deployment="churn", **given)  # type: ignore[arg-type]
    return scheme_of(profile, "d" * 64, settings)  # type: ignore[arg-type]


def test_settings_that_say_nothing_change_nothing() -> None:
    """Outcomes counted before anybody published settings add up with those after: the identity is the digest."""
    for profile in (CHURN, KINDS, PRICE):
        assert told(profile).identity == scheme_of(profile, "d" * 64).identity == "d" * 64
        assert told(profile, owner="Ana", minimum_rows=5, primary_metric=None).identity == "d" * 64


@pytest.mark.parametrize(
    "given",
    [
        {"threshold": 0.3},
        {"positive_class": "0"},
        {"task": "classes"},
        {"task": "regression"},
        {"segments": {"none": Segment()}},
    ],
)
def test_what_changes_counts_changes_the_identity(given: dict[str, object]) -> None:
    """Counts of one threshold, positive class, task or set of segments are never added to those of another."""
    one, other = told(CHURN, **given), told(CHURN)
    assert one.identity != other.identity
    assert one.identity == told(CHURN, **given).identity
    assert one.digest == other.digest
    # What comes before the sign names the totals, which segments alone leave as they are.
    totals = [scheme.identity.partition(SPLIT)[0] for scheme in (one, other)]
    assert (totals[0] == totals[1]) is ("segments" in given)


def test_the_task_is_the_truths() -> None:
    """A profile with truth knows its task, classes and scores."""
    assert (told(CHURN).task, told(CHURN).classes, told(CHURN).scores) == ("binary", ("0", "1"), ("score",))
    assert (told(KINDS).task, told(KINDS).classes) == ("classes", ("ant", "bee", "cat"))
    assert told(KINDS).scores == ("p_ant", "p_bee", "p_cat")
    assert told(KINDS).calibration is not None
    assert (told(PRICE).task, told(PRICE).scores) == ("regression", ("amount",))


def test_in_sample_scores_calibrate_nothing() -> None:
    """Of rows that the model learned from no expectation is counted."""
    assert told(replace(KINDS, provenance="in-sample")).calibration is None


def test_the_positive_class_is_the_second() -> None:
    """The declared positive class is counted as the positive one; a class that there is not changes nothing."""
    assert told(CHURN, positive_class="0").classes == ("1", "0")
    assert told(CHURN, positive_class="1").classes == ("0", "1")
    assert told(CHURN, positive_class="true").classes == ("0", "1")
    assert told(CHURN, positive_class="maybe").classes == ("0", "1")


@pytest.mark.parametrize(
    ("scores", "predicted", "task", "classes"),
    [
        ({"s": [0.1, 0.9]}, None, "binary", ("0", "1")),
        ({"s": [0.1, 7.0]}, None, "regression", ()),
        ({"s": [-0.1, 0.5]}, None, "regression", ()),
        ({"s": [0.1, 0.9]}, ["no", "yes"], "binary", ("no", "yes")),
        ({"s": [0.1, 0.9]}, ["yes", "no"], "binary", ("no", "yes")),
        (None, ["b", "a"], "binary", ("a", "b")),
        ({"s": [0.1, 0.9, 0.2]}, ["a", "b", "c"], "classes", ("a", "b", "c")),
        ({"p_a": [0.1, 0.9], "p_b": [0.9, 0.1]}, ["a", "b"], "classes", ("a", "b")),
    ],
)
def test_without_truth_the_answers_tell(
    scores: dict[str, list[float]] | None, predicted: list[str] | None, task: str, classes: tuple[str, ...]
) -> None:
    """A class that is named, or a score within 0 and 1, means classes; any other score a number."""
    rows = len(predicted or scores["s"])  # type: ignore[index]
    times = 100
    many = batch(
        {"x": list(range(rows)) * times},
        scores=None if scores is None else {name: values * times for name, values in scores.items()},
        predicted=None if predicted is None else predicted * times,
    )
    found = scheme_of(profile_of(many, provenance="held-out", has_times=False), "d")
    assert (found.task, tuple(sorted(found.classes))) == (task, tuple(sorted(classes)))
    if task == "binary":
        assert found.classes == classes


def test_segments_are_those_of_the_settings() -> None:
    """Declared segments that the profile has, with the value that others are held against; all of it without any."""
    assert [one.name for one in told(CHURN).segments] == ["region"]
    own = told(CHURN, segments={"region": Segment(reference="north"), "elsewhere": Segment()})
    assert [(one.name, one.reference) for one in own.segments] == [("region", "north")]
    assert own.identity == told(CHURN).identity
    assert told(CHURN, segments={"elsewhere": Segment()}).segments == ()


def test_segments_are_bounded() -> None:
    """Of more segments than figures are split by, the first stay."""
    names = [f"s{at}" for at in range(SEGMENTS_MAX + 3)]
    rows = batch({"x": range(300)}, segments={name: ["a", "b", None] * 100 for name in names})
    profile = profile_of(rows, has_times=False)
    assert [one.name for one in scheme_of(profile, "d").segments] == names[:SEGMENTS_MAX]


def test_coarse_edges_are_some_of_the_fine_ones() -> None:
    """Bins of segments are unions of the score's bins, at most 32, none of them empty in the reference."""
    found = told(CHURN)
    assert set(found.coarse_edges) <= set(found.edges)
    assert 1 < len(found.coarse_edges) < COARSE_BINS
    assert (found.coarse.bins, found.coarse.segments) == (len(found.coarse_edges) + 1, ())


def test_atoms_are_told_at_the_width_that_scores_travel_in() -> None:
    """A bin between a number and the next below it holds one score; neighbours of float32 are none of float64."""
    near = np.array([0.25, np.nextafter(np.float32(0.5), np.float32(0)), 0.5])
    scheme = Scheme("d", "binary", ("0", "1"), ("score",), edges=near, dtype="float32")
    assert scheme.atoms.tolist() == [False, False, True, False]
    assert not replace(scheme, dtype="float64").atoms.any()
    assert Scheme("d", "binary", ("0", "1"), ("score",)).atoms.tolist() == [False]
    came = np.array([0.1, 1e300, np.inf, np.nan])
    assert scheme.travelled(came)[:2].tolist() == [np.float32(0.1), np.finfo(np.float32).max]
    assert np.isnan(scheme.travelled(came)[3])
    assert scheme.travelled(came)[2] == np.inf


def test_one_and_true_are_the_same_truth() -> None:
    """Labels of a library that has booleans find the classes of one that has none, and the reverse."""
    numbers = Scheme("d", "binary", ("0", "1"))
    words = Scheme("d", "binary", ("false", "true"))
    assert [numbers.index_of(text) for text in ("0", "1", "false", "true", "yes")] == [0, 1, 0, 1, -1]
    assert [words.index_of(text) for text in ("0", "1", "false", "true", "yes")] == [0, 1, 0, 1, -1]
