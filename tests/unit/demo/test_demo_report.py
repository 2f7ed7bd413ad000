"""What the demo prints and what it objects to, for findings made up."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from driftline.deploy.demo.outcome import faults
from driftline.deploy.demo.report import drifted, show
from driftline.deploy.demo.run import DemoError, check


def cell(verdict: str, psi: float | None = 0.3, kind: str = "drift") -> dict[str, Any]:
    """One finding."""
    return {"psi": psi, "verdict": verdict, "rows": 300, "kind": kind}


def told(accuracy: float, auc: float) -> dict[str, Any]:
    """How the model did in a month, or was expected to do."""
    return {
        "accuracy": accuracy,
        "auc": auc,
        "log_loss": None,
        "intervals": {
            "accuracy": {"low": 0.727, "high": 0.832, "interval": "days"},
            "auc": {"low": 0.68, "high": 0.69, "interval": "bounds"},
            "log_loss": {"low": None, "high": None, "interval": ""},
        },
        "labels": 299,
        "coverage": 0.9967,
        "provisional": False,
    }


def alerts(**changes: Any) -> dict[str, Any]:
    """Return alerts that were told as they must be: temp fires in April and is resolved in November."""
    drift = {"about": "drift", "name": "temp", "segment": "", "severity": "fail", "reason": "psi 1.20"}
    slow = {
        "about": "performance",
        "name": "log_loss",
        "segment": "carrier=UA",
        "severity": "warn",
        "reason": "",
    }
    return {
        "fired": 2,
        "resolved": 1,
        "open": 1,
        "list": [
            drift | {"fired_at": "2013-04", "resolved": "2013-11"},
            slow | {"fired_at": "2013-07", "resolved": None},
        ],
        "received": {"edges": 3, "twice": 0, "forged": 0, "missing": 0},
        "alertmanager": {"firing": 2, "resolved": 1},
    } | changes


def advised(word: str, code: str, value: float, low: float) -> dict[str, Any]:
    """Return the advice on a month whose log loss rose by a fifth."""
    return {
        "advice": word,
        "reasons": [code, "important inputs drifted"],
        "why": "",
        "fell": {"metric": "log_loss", "value": 0.2},
        "gain": {"metric": "auc", "value": value, "low": low, "high": value + 0.01, "interval": "days"},
        "since": "2013-04",
    }


def fairness() -> dict[str, Any]:
    """Return the rates of three airlines in July, one of them too small to name."""
    groups = {
        "UA": {"value": 0.1, "low": 0.08, "high": 0.12, "rows": 4000},
        "EV": {"value": 0.3, "low": 0.28, "high": 0.32, "rows": 4000},
        "OO": {"value": 0.9, "low": 0.2, "high": 1.0, "rows": 3},
    }
    said = {"groups": groups, "value": 0.2, "low": 0.1, "high": 0.3, "verdict": "fail"}
    return {
        "2013-07": {
            "selection_rate": said
            | {"criterion": "four_fifths", "reason": "Selection rate of UA is 0.333 of EV."},
            "tpr": said | {"criterion": "equal_opportunity", "reason": "TPR of UA and EV differ by 0.2."},
        }
    }


def changed(**changes: Any) -> dict[str, Any]:
    """Return what became of the second half: version 2 is surely better in AUC, perhaps in log loss."""
    figure = {"interval": "days", "days": 21, "first": 0.6, "second": 0.7, "gain": 0.05, "high": 0.1}
    audit = {
        "genesis": "ab" * 32,
        "records": 60,
        "verified": 60,
        "witnessed": 20,
        "signatures": 90,
        "fault": None,
    }
    return {
        "requests": 4000,
        "failed_requests": 0,
        "swaps": 6,
        "audit": audit | {"tampered_at": 41, "tampered_found_at": 41, "tampered_found": "record 41: edited"},
        "change": {
            "answered": {"1": 1000, "2": 3000},
            "failures": [],
            "comparison": {
                "rows": 19_000,
                "since": "2013-07-11",
                "figures": {"log_loss": figure | {"low": -0.01}, "auc": figure | {"low": 0.02}},
            },
            "promotion": {"seq": 41, "asked": "p-1", "approvers": ["p-3", "p-4"]},
            "back": {
                "checks": [{"name": "performance", "detail": "worse: log_loss 1.2, of the other's 0.5"}]
            },
        },
    } | changes


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
        "alerts": alerts(),
        "advice": {
            "2013-04": advised("watch", "a refit does not help", 0.001, -0.01),
            "2013-07": advised("retrain", "a refit helps", 0.031, 0.02),
        },
        "fairness": fairness(),
        "model": {"auc_out_of_fold": 0.67, "auc_in_sample": 0.82},
        **changed(),
        "seconds": {"emit": 1.0, "total": 30.0},
    } | changes


def shown(of: dict[str, Any], *, keep: bool = False) -> str:
    """Give the report as text of 80 columns."""
    console = Console(width=80, record=True, force_terminal=False)
    with console.capture() as captured:
        show(console, of, keep=keep, folder=".driftline/demo")
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
    """With --keep the next commands, whole in a line each, reach the stack that runs; without they start one."""
    text = shown(summary(), keep=keep)
    assert (f"    export DRIFTLINE_CONTROL_GENESIS={'ab' * 32}" in text.splitlines()) is keep
    assert ("driftline down" in text) is keep
    assert ("driftline up --detach" in text) is not keep
    assert ("driftline history flights-live" in text) is keep


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"events_in_clickhouse": 899}, "899 are in ClickHouse"),
        ({"emitter": {"enqueued": 900, "delivered": 890}}, "890 were delivered"),
        ({"emitter": {"enqueued": 901, "delivered": 900}}, "counted 901"),
        ({"dead_letters": 2}, "2 messages were refused"),
        ({"drift": {}}, "no month has a verdict"),
        ({"advice": {}}, "no month has advice"),
        ({"alerts": alerts(fired=0)}, "no alert fired"),
        (
            {"alerts": alerts(received={"edges": 2, "twice": 0, "forged": 0, "missing": 1})},
            "1 edges .* not reach",
        ),
        ({"alerts": alerts(received={"edges": 3, "twice": 1, "forged": 0, "missing": 0})}, "1 edges twice"),
        (
            {"alerts": alerts(received={"edges": 3, "twice": 0, "forged": 4, "missing": 0})},
            "no valid signature",
        ),
        ({"alerts": alerts(received={"edges": 4, "twice": 0, "forged": 0, "missing": 0})}, "heard 4 edges"),
        ({"alerts": alerts(alertmanager={"firing": 0, "resolved": 0})}, "Alertmanager passed on no alert"),
        ({"failed_requests": 2}, "2 of 4,000 requests failed"),
        ({"audit": changed()["audit"] | {"fault": "record 3: edited"}}, "is not verified: record 3"),
        ({"audit": changed()["audit"] | {"verified": 59}}, "is not verified"),
        ({"audit": changed()["audit"] | {"witnessed": 0}}, "no witness has signed"),
        ({"audit": changed()["audit"] | {"tampered_found_at": None}}, "record 41 was changed"),
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


def test_an_alert_has_a_line_from_its_firing_to_its_end() -> None:
    """The table says which month made it fire and which resolved it; the words say what the receivers heard."""
    text = shown(summary())
    line = next(line for line in text.splitlines() if line.startswith("drift "))
    assert line.split() == ["drift", "temp", "FAIL", "Apr", "2013", "Nov", "2013"]
    assert "log loss carrier=UA" in text
    assert "still open" in text
    assert "heard 3 of 3, each once and with a valid signature" in " ".join(text.split())


def test_without_alertmanager_the_report_says_so() -> None:
    """Where the program is not installed nothing is wrong, and the reader learns of it."""
    none = summary(alerts=alerts(alertmanager=None))
    assert faults(none) == []
    assert "Alertmanager is not installed" in " ".join(shown(none).split())


def test_advice_is_told_month_by_month_and_in_words() -> None:
    """July's line has its gain and interval; the words name the month to retrain, and that where it cannot help."""
    text = shown(summary())
    line = next(line for line in text.splitlines() if "retrain" in line and "+.031" in line)
    assert "loss +20%" in line
    assert "AUC +.031 (+.020 to +.041)" in line
    words = " ".join(text.split())
    assert "That is so in Jul." in words
    assert "In Apr it was down too, and no refit is better beyond chance" in words


def test_the_airlines_that_fare_worst_and_best_are_named() -> None:
    """Lowest and highest of those with enough rows have their intervals, and the criterion its verdict."""
    text = shown(summary())
    line = next(line for line in text.splitlines() if line.startswith("of the late, found"))
    assert "UA 0.10 (0.08 to 0.12)" in line
    assert "EV 0.30 (0.28 to 0.32)" in line
    assert "OO" not in text
    assert "Equal opportunity: TPR of UA and EV differ by 0.2." in " ".join(text.split())


def test_the_report_is_80_columns_wide() -> None:
    """Nothing is wider than a terminal of 80 columns."""
    assert max(map(len, shown(summary()).splitlines())) <= 80


def test_the_change_is_told_with_what_is_sure_and_what_is_not() -> None:
    """Load, failures and swaps are named; a gain whose interval reaches 0 is not called sure; so is who approved."""
    text = " ".join(shown(summary()).split())
    assert "4,000 requests, 0 failed, 1,000 by version 1, 3,000 by version 2" in text
    assert "was changed 6 times" in text
    assert "In AUC the whole interval lies above 0" in text
    assert "In log loss it is better on these flights, and days differ" in text
    assert "performance: log_loss 1.2, of the other's 0.5" in text
    assert "p-3 and p-4 approved" in text
    assert "verification stops at record 41" in text
