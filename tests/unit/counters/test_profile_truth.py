"""The truth in a profile's record: what contradicts its task or the profile's columns is refused in one sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from truth_models import MODELS, profile_of_model

from driftline.schemas.profile import Profile
from driftline.schemas.refusal import Refused

PROFILES = {model.task: profile_of_model(model, "1", 1) for model in MODELS[:3]}


@pytest.mark.parametrize("task", PROFILES)
def test_a_truth_travels_whole(task: str) -> None:
    """What is built of a reference is read back, whatever the task."""
    profile = PROFILES[task]
    assert Profile.from_bytes(profile.to_bytes()).digest() == profile.digest()


@pytest.mark.parametrize(
    ("task", "classes", "scores", "needed"),
    [
        ("binary", ("0", "1", "2"), ("score",), "2 classes and at most 1 score"),
        ("binary", ("0",), ("score",), "2 classes and at most 1 score"),
        ("binary", ("0", "1"), ("score", "score"), "2 classes and at most 1 score"),
        ("classes", (), (), "classes, and no score or one for each"),
        ("classes", ("ant", "bee"), ("p_ant",), "classes, and no score or one for each"),
        ("classes", ("ant", "bee", "cat"), ("p_ant", "p_bee"), "classes, and no score or one for each"),
        ("regression", ("0", "1"), ("amount",), "no class and 1 score"),
        ("regression", (), (), "no class and 1 score"),
        ("regression", (), ("amount", "amount"), "no class and 1 score"),
    ],
)
def test_a_truth_that_contradicts_its_task_is_refused(
    task: str, classes: tuple[str, ...], scores: tuple[str, ...], needed: str
) -> None:
    """A worker that counted by it would stop at an index; it says what it has and what the task needs."""
    profile = PROFILES[task]
    assert profile.truth is not None
    data = replace(profile, truth=replace(profile.truth, classes=classes, scores=scores)).to_bytes()
    with pytest.raises(Refused) as refused:
        Profile.from_bytes(data)
    held = f"{len(classes)} classes and {len(scores)} scores"
    assert refused.value.detail == f"the truth of a profile, a task {task!r}, has {held}; it needs {needed}"


@pytest.mark.parametrize("task", PROFILES)
def test_a_truth_of_a_score_that_the_profile_lacks_is_refused(task: str) -> None:
    """Its bins are the score column's; a feature of that name is none."""
    profile = PROFILES[task]
    assert profile.truth is not None
    scores = (*profile.truth.scores[1:], "nope")
    data = replace(profile, truth=replace(profile.truth, scores=scores)).to_bytes()
    with pytest.raises(Refused, match="reads score 'nope', which is no score column of it"):
        Profile.from_bytes(data)


@pytest.mark.parametrize(
    ("task", "classes"), [("binary", ("0", "1")), ("classes", ("ant", "bee", "cat")), ("classes", ("ant",))]
)
def test_a_truth_without_scores_is_taken(task: str, classes: tuple[str, ...]) -> None:
    """Answers may name a class and no score; and a reference may have known one class alone."""
    profile = PROFILES[task]
    assert profile.truth is not None
    data = replace(profile, truth=replace(profile.truth, classes=classes, scores=())).to_bytes()
    found = Profile.from_bytes(data).truth
    assert found is not None
    assert (found.classes, found.scores) == (classes, ())
