"""Names in a deployment's settings that no profile has: a warning that names the nearest one, bounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from counting import batch, profile_of

from driftline.deploy.tables.declared import warnings
from driftline.schemas.deployment import DeploymentSettings, Segment
from driftline.schemas.profile import Profile


@pytest.fixture(scope="module")
def profiles() -> list[Profile]:
    """Return two versions: features temp and wind, a segment carrier of UA and DL, answers yes and no."""
    draw = np.random.default_rng(0)
    rows = batch(
        {"temp": draw.normal(size=900), "wind": draw.normal(size=900)},
        scores={"score": draw.random(900)},
        predicted=["no", "yes"] * 450,
        segments={"carrier": ["UA", "DL"] * 450},
    )
    one = profile_of(rows, provenance="none", has_times=False)
    return [replace(one, model_version=version) for version in ("1", "2")]


def of(**over: object) -> DeploymentSettings:
    """Return settings of the deployment."""
    return DeploymentSettings(deployment="flights", **over)  # type: ignore[arg-type]


KNOWN = {
    "segments": {"carrier": Segment(reference="UA")},
    "feature_importance": {"temp": 1.0, "wind": 0.5},
    "quantiles": {"score": 0.5},
    "positive_class": "yes",
}
NONE = "no published profile of 'flights' has a"
UNKNOWN: list[tuple[dict[str, object], str]] = [
    ({"feature_importance": {"tmep": 1.0}}, f"feature_importance.tmep: {NONE} feature of this name: did you mean '"),
    ({"segments": {"zzz": Segment()}}, f"segments.zzz: {NONE} segment of this name: known are carrier"),
    ({"segments": {"temp": Segment()}}, "segments.temp: a feature of the profiles of 'flights', and no segment"),
    ({"segments": {"carrier": Segment(reference="UAL")}}, "segments.carrier.reference: 'UAL' is no value that the"),
    ({"quantiles": {"p10": 0.1}}, f"quantiles.p10: {NONE} score of this name: known are score"),
    ({"positive_class": "yess"}, "positive_class: 'yess' is no class of the profiles of 'flights': did you mean"),
]  # fmt: skip


@pytest.mark.parametrize(("over", "said"), UNKNOWN, ids=[row[1].split(":")[0] for row in UNKNOWN])
def test_a_name_that_no_profile_has_is_a_warning(
    profiles: list[Profile], over: dict[str, object], said: str
) -> None:
    """It names the key, the deployment and the nearest name."""
    (found,) = warnings(of(**over), profiles)
    assert found.startswith(said)


def test_names_that_one_of_the_profiles_has_are_none(profiles: list[Profile]) -> None:
    """Each version may know other columns."""
    less = replace(profiles[0], columns=tuple(one for one in profiles[0].columns if one.name != "wind"))
    assert warnings(of(**KNOWN), [less, profiles[1]]) == []
    assert warnings(of(owner="Ana"), []) == []


def test_without_a_profile_nothing_is_checked_and_that_is_said() -> None:
    """Settings may be applied before the profile is published."""
    (said,) = warnings(of(**KNOWN), [])
    assert said.startswith(
        "no profile of 'flights' is published yet, so the names in segments, feature_importance, "
    )


def test_warnings_are_bounded(profiles: list[Profile]) -> None:
    """Of thousands of names ten are told, and how many more there are; so are segments past those told apart."""
    many = {f"f{at}": 1.0 for at in range(4_000)}
    said = warnings(of(feature_importance=many), profiles)
    assert len(said) == 11
    assert said[-1] == "feature_importance: 3,990 more names that no published profile of 'flights' has"
    nine = {"carrier": Segment(), **{f"s{at}": Segment() for at in range(8)}}
    assert (
        warnings(of(segments=nine), profiles)[-1]
        == "segments: 9 are declared, and only the first 8 are told apart"
    )
