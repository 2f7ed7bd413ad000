"""How advice looks to a person, and to a program."""

from __future__ import annotations

import msgspec

from driftline.deploy.advice import view
from driftline.schemas.advice import Advice, Fell, Gain, Reason

JULY = 1_372_636_800_000
ADVICE = Advice(
    deployment="flights",
    model_version="1",
    slot="champion",
    resolution="1M",
    window_start_ms=JULY,
    window_end_ms=JULY + 31 * 86_400_000,
    advice="retrain",
    reasons=(Reason(code="performance fell", sentence="auc is 0.600 against 0.700 in the reference: " * 3),),
    fell=Fell(metric="auc", value=0.1, low=0.07, high=0.13, interval="days", figure=0.6, reference=0.7),
    gains=(Gain(
        candidate="2", metric="auc", value=0.05, low=0.02, high=0.08, interval="days", rows=9_000, days=31
    ),),
    features=(),
    since_ms=JULY - 30 * 86_400_000,
    labels=9_000,
    coverage=0.994,
    expected_per_year=0.608,
)  # fmt: skip


def test_a_window_is_a_line() -> None:
    """Window, word, what fell, what is gained, and the weightiest reason."""
    assert view.rows([ADVICE]) == [
        ("2013-07", "retrain", "auc -.100", "auc +.050 [+.020, +.080]", "performance fell")
    ]


def test_a_line_is_at_most_eighty_columns() -> None:
    """A long reason beside a long gain goes on in rows of its own, and nothing of it is lost."""
    reason = Reason(code="performance may have fallen", sentence="")
    gain = msgspec.structs.replace(ADVICE.gains[0], metric="log_loss")
    fell = Fell(
        metric="log_loss", value=0.181, low=0.0, high=0.3, interval="days", figure=0.6, reference=0.508
    )
    wide = msgspec.structs.replace(ADVICE, reasons=(reason,), gains=(gain,), fell=fell)
    found = view.rows([wide])
    assert found[0][2] == "log_loss +18%"
    assert [line[:4] for line in found[1:]] == [("",) * 4]
    assert " ".join(line[4] for line in found) == reason.code
    widths = [max(map(len, column)) for column in zip(*found, strict=True)]
    assert sum(widths) + 2 * (len(widths) - 1) <= 80


def test_words_fit_in_eighty_columns_and_end_with_chance() -> None:
    """The head, each reason, and how often chance alone would say the same."""
    lines = view.in_words(ADVICE).splitlines()
    assert lines[0] == "2013-07, flights version 1: RETRAIN, performance fell (since 2013-06)."
    assert max(map(len, lines)) <= 80
    assert "0.61 times a year" in " ".join(" ".join(lines).split())


def test_a_program_gets_every_part() -> None:
    """Times are ISO 8601, and a gain that nobody knows is the word unknown."""
    found = view.as_json(ADVICE)
    assert (found["window_start"], found["since"]) == ("2013-07-01T00:00:00Z", "2013-06-01T00:00:00Z")
    assert found["gain"]["low"] == 0.02
    assert found["fell"]["figure"] == 0.6
    bare = Advice(**{**{name: getattr(ADVICE, name) for name in ADVICE.__struct_fields__}, "gains": ()})
    assert view.as_json(bare)["gain"] == "unknown"
