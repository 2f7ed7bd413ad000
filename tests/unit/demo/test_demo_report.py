"""What the demo prints and what it objects to, for findings made up."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from driftline.deploy.demo.outcome import faults
from driftline.deploy.demo.report import drifted, report
from driftline.deploy.demo.run import DemoError, check


def cell(verdict: str, psi: float | None = 0.3, kind: str = "drift") -> dict[str, Any]:
    """One finding."""
    return {"psi": psi, "verdict": verdict, "rows": 300, "kind": kind}


def told(accuracy: float, auc: float) -> dict[str, Any]:
    """How the model did in a month, or was expected to do."""
    return {
        "accuracy": {"value": accuracy, "low": 0.727, "high": 0.832, "interval": "days"},
        "auc": {"value": auc, "low": 0.68, "high": 0.69, "interval": "bounds"},
        "log_loss": {"value": None, "low": None, "high": None, "interval": ""},
        "labels": 299,
        "coverage": 0.9967,
        "provisional": False,
    }


def summary(**changes: Any) -> dict[str, Any]:
    """A summary that adds up, with changes."""
    drift = {
        "2013-01": {
            "temp": cell("ok"),
            "dest": cell("ok"),
            "carrier": cell("ok"),
            "p": cell("ok", kind="prediction"),
        },
        "2013-07": {"temp": cell("fail", 8.75), "dest": cell("warn"), "carrier": cell("ok"), "p": cell("ok")},
        "2014-01": {name: cell("inconclusive", None) for name in ("temp", "dest", "carrier", "p")},
    }
    return {
        "events_emitted": 900,
        "events_in_clickhouse": 900,
        "emitter": {"enqueued": 900, "delivered": 900, "dropped": 0, "spooled": 0, "in_flight": 0},
        "windows": 3,
        "drift": drift,
        "dead_letters": 0,
        "performance": {"2013-01": told(0.78, 0.684), "2013-04": told(0.734, 0.633)},
        "estimated": {"2013-01": told(0.776, 0.679), "2013-04": told(0.797, 0.665)},
        "model": {"auc_out_of_fold": 0.67, "auc_in_sample": 0.82},
        "seconds": {"emit": 1.0, "total": 30.0},
    } | changes


def shown(of: dict[str, Any], *, keep: bool = False) -> str:
    """Give the report as text of 80 columns."""
    console = Console(width=80, record=True, force_terminal=False)
    with console.capture() as captured:
        console.print(report(of, keep=keep, folder=".driftline/demo"))
    return captured.get()


def test_what_drifted_is_named_with_month_and_figure() -> None:
    """A failure stands in the table with its figure and in words; what never drifted is named as such."""
    text = shown(summary())
    assert "8.75 FAIL" in text
    assert "Drifted: temp in Jul." in text
    assert "Never drifted: carrier." in text
    assert "Jan 2014 has 300 events, too few for a verdict" in text


def test_truth_stands_beside_drift() -> None:
    """A month shows how many flights have landed, figures with intervals, no bounds, and ? for what is undefined."""
    line = next(line for line in shown(summary()).splitlines() if "99.7%" in line)
    assert line.split() == ["Jan", "2013", "99.7%", "0.78", "(0.73", "to", "0.83)", "0.68", "?"]


def test_the_worst_feature_comes_first() -> None:
    """Columns are ordered by failures, then warnings; a score is no feature."""
    assert drifted(summary()["drift"]) == ["temp", "dest"]


@pytest.mark.parametrize("keep", [True, False])
def test_the_next_commands_fit_what_was_left(*, keep: bool) -> None:
    """With --keep the next commands reach the stack that runs; without they start one."""
    text = shown(summary(), keep=keep)
    assert ("driftline down" in text) is keep
    assert ("driftline up --detach" in text) is not keep


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"events_in_clickhouse": 899}, "899 are in ClickHouse"),
        ({"emitter": {"enqueued": 900, "delivered": 890}}, "890 were delivered"),
        ({"emitter": {"enqueued": 901, "delivered": 900}}, "counted 901"),
        ({"dead_letters": 2}, "2 messages were refused"),
        ({"drift": {}}, "no month has a verdict"),
    ],
)
def test_books_that_do_not_balance_fail_the_demo(changes: dict[str, Any], words: str) -> None:
    """Emitted, delivered and stored must be one number, and nothing refused: else the demo exits non-zero."""
    with pytest.raises(DemoError, match=words):
        check(summary(**changes))


def test_books_that_balance_pass() -> None:
    """A summary that adds up has no fault."""
    assert faults(summary()) == []


def test_an_estimate_that_was_too_good_is_told_with_its_miss() -> None:
    """April's line holds what the scores said, what was true, and the miss; the reference's months have none."""
    text = shown(summary())
    table = text[text.index("What the scores alone said") :]
    april = next(line for line in table.splitlines() if line.startswith("Apr 2013"))
    assert april.split()[2:] == ["0.797", "0.734", "+0.063", "0.665", "0.633", "+0.032"]
    assert "Jan 2013" not in table[: table.index("An estimate sees")]
    assert "concept" in table
