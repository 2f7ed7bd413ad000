"""Settings of a deployment survive the record and the text that show them, whatever they hold."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from driftline.schemas.deployment import (
    COUNTED,
    AlertRule,
    Contact,
    DeploymentSettings,
    Mute,
    Segment,
)
from driftline.schemas.deployment_file import parse_deployment
from driftline.schemas.deployment_state import DeploymentState, next_state
from driftline.schemas.deployment_text import deployment_text
from driftline.schemas.floors import METRICS, Floor

CHARACTERS = "aZ0 .-_é漢\"\\'#=[]\u00a0\U0001f600"
NAMES = st.text(CHARACTERS, min_size=1, max_size=12).filter(
    lambda text: text == text.strip() and text.isprintable()
)
VALUES = st.text(CHARACTERS + "\n\t\x00\x7f/", min_size=1, max_size=12)
DEPLOYMENTS = NAMES.filter(lambda text: "/" not in text)
MS = st.integers(0, 7_258_118_400_000 - 1)
SPANS = st.tuples(MS, MS).filter(lambda pair: pair[0] != pair[1]).map(sorted)


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return None or a value."""
    return st.none() | strategy


def floors(metric: str) -> st.SearchStrategy[Floor]:
    """Return floors that a metric may have."""
    top = 1.0 if METRICS[metric].kind == "fall" else 100.0
    pairs = st.tuples(st.floats(1e-6, top), st.floats(1e-6, top)).map(sorted)
    return pairs.map(lambda pair: Floor(warn=pair[0], fail=pair[1]))


SETTINGS = st.builds(
    DeploymentSettings,
    deployment=DEPLOYMENTS,
    owner=some(NAMES),
    importance=st.sampled_from(["low", "normal", "high", "critical"]),
    contacts=st.lists(
        st.builds(Contact, route=NAMES, severity=st.sampled_from(["warn", "fail"])), max_size=3
    ).map(tuple),
    positive_class=some(VALUES),
    threshold=some(st.floats(-1e300, 1e300)),
    quantiles=st.dictionaries(NAMES, st.floats(0.001, 0.999), max_size=3),
    primary_metric=some(st.sampled_from(["auc", "rmse"])),
    floors=st.fixed_dictionaries({}, optional={metric: floors(metric) for metric in METRICS}),
    minimum_rows=st.integers(1, 10**9),
    resolutions=st.lists(st.sampled_from(COUNTED), unique=True).map(
        lambda names: tuple(sorted(names, key=COUNTED.index))
    ),
    label_horizon_hours=some(st.floats(0.001, 87_600)),
    baselines=st.sampled_from([(), ("previous",), ("previous", "same-hour-of-week")]),
    segments=st.dictionaries(NAMES, st.builds(Segment, reference=some(VALUES)), max_size=3),
    feature_importance=st.dictionaries(NAMES, st.floats(0, 1e9), max_size=3),
    alerts=st.tuples(st.integers(1, 100), st.integers(1, 100)).map(
        lambda pair: AlertRule(k=min(pair), m=max(pair))
    ),
    mutes=st.lists(
        st.builds(
            lambda span, reason, about: Mute(since_ms=span[0], until_ms=span[1], reason=reason, about=about),
            SPANS,
            NAMES,
            st.sampled_from([(), ("drift",), ("health", "loss")]),
        ),
        max_size=3,
    ).map(tuple),
)


@given(SETTINGS)
def test_the_text_that_is_shown_reads_back_the_same(settings: DeploymentSettings) -> None:
    """What `show` prints is a file that holds just these settings."""
    assert parse_deployment(tomllib.loads(deployment_text(settings)), "shown") == settings


@given(SETTINGS, MS, some(MS), NAMES)
def test_the_record_reads_back_the_same(
    settings: DeploymentSettings, now_ms: int, since_ms: int | None, author: str
) -> None:
    """Avro bytes decode into the revision that made them."""
    state = next_state(None, settings, changed_by=author, now_ms=now_ms, since_ms=since_ms)
    assert DeploymentState.from_bytes(state.to_bytes()) == state
