"""The record of an advice: what travels is what was given."""

from __future__ import annotations

import msgspec
import pytest

from driftline.schemas import codec
from driftline.schemas.advice import Advice, Drifted, Fell, Gain, Reason
from driftline.schemas.refusal import Refused
from driftline.schemas.window import WindowResult

FULL = Advice(
    deployment="churn",
    model_version="1",
    slot="champion",
    resolution="1M",
    window_start_ms=0,
    window_end_ms=2_592_000_000,
    advice="retrain",
    reasons=(Reason(code="performance fell", sentence="auc is down."),),
    fell=Fell(metric="auc", value=0.1, low=0.05, high=0.15, interval="days", figure=0.6, reference=0.7),
    gains=(Gain(
        candidate="2", metric="auc", value=0.1, low=0.05, high=None, interval="days", rows=900, days=30
    ),),
    features=(Drifted(
        feature="x", importance=0.5, important=True, verdict="fail", psi=0.9, limit=0.4, sigma=None
    ),),
    since_ms=0,
    labels=900,
    coverage=0.99,
    expected_per_year=0.1,
    settings_revision=3,
)  # fmt: skip


def test_an_advice_comes_back_as_it_was_sent() -> None:
    """Every part of a full record and of a bare one survives the bytes."""
    bare = Advice(**{
        **{name: getattr(FULL, name) for name in FULL.__struct_fields__},
        "advice": "no need", "fell": None, "gains": (), "features": (), "coverage": None,
        "expected_per_year": None,
    })  # fmt: skip
    for one in (FULL, bare):
        assert Advice.from_bytes(one.to_bytes()) == one
    assert bare.gain is None


def test_a_word_that_is_none_of_the_three_is_refused() -> None:
    """A reader never acts on an advice that it does not know."""
    record = msgspec.to_builtins(FULL) | {"advice": "panic"}
    with pytest.raises(Refused, match="advice on 'churn'"):
        Advice.from_bytes(codec.encode("Advice", record))


def test_another_record_is_refused() -> None:
    """A record of another type does not pass for an advice."""
    window = WindowResult(
        "churn", "1", "champion", "1d", 0, 86_400_000, "", 0, 1, final=True, restated=False, rows=0,
        watermark_ms=0, counts=b"", computed_at_ms=0,
    )  # fmt: skip
    with pytest.raises(Refused, match="where an Advice belongs"):
        Advice.from_bytes(window.to_bytes())
