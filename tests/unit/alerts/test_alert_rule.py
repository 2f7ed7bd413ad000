"""When windows become an alert, and when they end one."""

from __future__ import annotations

from typing import get_args

import pytest
from bad_windows import DAY_MS, OneBook, window

from driftline.schemas.alert import Alert
from driftline.schemas.deployment import AlertRule, Contact, Mute, Subject
from driftline.schemas.window import KINDS, Figure, WindowResult
from driftline.streams.alerts.case import OPEN, Case
from driftline.streams.alerts.rule import Turn, decide, priority
from driftline.streams.alerts.verdicts import ABOUT, FAIL, FINE, UNSURE, WARN, judged
from driftline.streams.alerts.windows import take

NOW_MS = 1_000


def run(book: OneBook, *results: WindowResult) -> tuple[Case, list[Alert]]:
    """Take windows in, one after the other."""
    case = Case(deployment="shop")
    return case, [one for result in results for one in take(case, result, book, NOW_MS)]


def days(*verdicts: str) -> list[WindowResult]:
    """A window a day, each with one verdict of the feature x."""
    return [window(day, day, {"x": verdict}) for day, verdict in enumerate(verdicts)]


def turns(*verdicts: str, **given: object) -> list[str]:
    """What the edges of a row of days are."""
    edges = run(OneBook(**given), *days(*verdicts))[1]
    return [f"{one.state} {one.severity} {(one.window_start_ms or 0) // DAY_MS}" for one in edges]


@pytest.mark.parametrize(
    ("codes", "held", "turn"),
    [
        ([FAIL], None, None),
        ([FAIL, FAIL], None, "fail"),
        ([WARN, FAIL], None, "warn"),
        ([WARN, FINE, WARN], None, "warn"),
        ([WARN, UNSURE, UNSURE], None, None),
        ([WARN, FAIL, FAIL], "warn", "fail"),
        ([WARN, WARN, FAIL], "fail", None),
        ([FINE, FINE, WARN], "warn", None),
        ([FINE, UNSURE, FINE], "warn", "resolved"),
        ([UNSURE, UNSURE, FINE], "warn", None),
        ([UNSURE, UNSURE, UNSURE], "fail", None),
        ([FINE, FINE, FINE], None, None),
    ],
)
def test_two_of_three(codes: list[int], held: str | None, turn: Turn | None) -> None:
    """Two bad ones fire, two failing ones fail; only windows without a bad one, two of them well, resolve."""
    assert decide(codes, 2, held) == turn  # type: ignore[arg-type]


def test_one_bad_window_makes_no_alert_and_one_good_one_ends_none() -> None:
    """Hysteresis: it fires at the second bad day of three, and is resolved when none of three is bad."""
    assert turns("fail", "ok", "ok", "fail", "ok", "ok") == []
    assert turns("fail", "fail", "ok", "fail", "ok", "ok", "ok") == ["firing fail 1", "resolved fail 6"]


def test_a_warning_grows_to_a_failure_and_never_back() -> None:
    """Each is an edge of its own, with a greater ordinal; a failure stays one until it is resolved."""
    case, edges = run(OneBook(), *days("warn", "warn", "fail", "fail", "warn", "warn", "ok", "ok", "ok"))
    assert [(one.state, one.severity) for one in edges] == [
        ("firing", "warn"),
        ("firing", "fail"),
        ("resolved", "fail"),
    ]
    assert [one.ordinal for one in edges] == [1, 2, 3]
    assert len({one.alert_id for one in edges}) == 1
    assert not case.firing
    assert not case.pending


def test_what_is_open_late_replayed_or_of_another_width_decides_nothing() -> None:
    """Windows that are not final, of a named run, of another resolution, or older than the last m raise no edge."""
    bad = {"x": "fail"}
    for over in ({"final": False}, {"run": "what-if"}, {"resolution": "1h"}):
        assert run(OneBook(), *(window(day, day, bad, **over) for day in range(3)))[1] == []
    good = [window(day, day, {"x": "ok"}) for day in range(5, 8)]
    assert run(OneBook(), *good, *(window(day, 90 + day, bad) for day in range(5)))[1] == []


def test_a_restated_window_replaces_its_verdict() -> None:
    """A greater version may fire or resolve; one that is not greater says nothing."""
    book = OneBook()
    case, edges = run(book, *days("ok", "fail", "ok"))
    assert edges == []
    assert take(case, window(0, 0, {"x": "fail"}), book, NOW_MS) == []
    fired = take(case, window(0, 9, {"x": "fail"}, restated=True), book, NOW_MS)
    assert [one.state for one in fired] == ["firing"]
    assert take(case, window(0, 8, {"x": "ok"}, restated=True), book, NOW_MS) == []
    take(case, window(0, 10, {"x": "ok"}, restated=True), book, NOW_MS)
    resolved = take(case, window(1, 10, {"x": "ok"}, restated=True), book, NOW_MS)
    assert [one.state for one in resolved] == ["resolved"]


def test_inconclusive_windows_neither_fire_nor_resolve() -> None:
    """They take up place among the last m, and say nothing."""
    assert turns("fail", "inconclusive", "inconclusive", "fail") == []
    assert turns("fail", "fail", *["inconclusive"] * 5) == ["firing fail 1"]


def test_the_worst_version_of_a_window_counts() -> None:
    """Two model versions that share windows share the alert of their slot; another slot has its own."""
    book = OneBook()
    shared = [
        window(day, day, {"x": verdict}, model_version=version)
        for day in range(2)
        for version, verdict in (("3", "ok"), ("4", "fail"))
    ]
    assert [one.model_version for one in run(book, *shared)[1]] == ["4"]
    apart = [
        window(day, day, {"x": "fail"}, slot=slot) for slot in ("champion", "shadow") for day in range(2)
    ]
    assert [one.slot for one in run(book, *apart)[1]] == ["champion", "shadow"]


def test_all_metrics_of_a_feature_are_one_alert() -> None:
    """PSI and KS of a feature fire once, with the worst figure first among the evidence; quality has its own."""
    figures = [
        Figure("drift", "x", "psi", 0.1, verdict="warn", reason="psi."),
        Figure("drift", "x", "ks", 0.4, verdict="fail", reason="ks."),
        Figure("quality", "x", "nulls", 0.4, verdict="fail", reason="nulls."),
        Figure("performance", "late", "recall", 0.1, verdict="fail", reason="recall.", segment="c=UA"),
        Figure("health", "", "rate", 3.0),
    ]
    found = judged(window(0, 0, {}, figures=figures))
    names = [(one.about, one.name, one.segment) for one in found]
    assert names == [("drift", "x", ""), ("quality", "x", ""), ("performance", "recall late", "c=UA")]
    code, evidence = next(iter(found.values()))
    assert (code, [one.metric for one in evidence]) == (FAIL, ["ks", "psi"])


def test_every_kind_of_figure_is_about_something() -> None:
    """No figure that a window may carry is left without a subject that settings can mute."""
    assert set(ABOUT) == set(KINDS)
    assert set(ABOUT.values()) <= set(get_args(Subject))


def test_a_shift_of_all_rows_is_one_alert_and_that_of_one_segment_another() -> None:
    """Where the feature over all rows drifts its segments add none; where it is calm a segment fires by itself."""

    def day(number: int, whole: str, one: str) -> WindowResult:
        figures = [
            Figure("drift", "x", "psi", 0.4, verdict=whole),
            Figure("drift", "x", "psi", 0.4, verdict=one, segment="c=UA"),
        ]
        return window(number, number, {}, figures=figures)

    rule = OneBook(alerts=AlertRule(k=1, m=1))
    both = run(rule, day(0, "fail", "warn"), day(1, "ok", "ok"))[1]
    assert [(one.state, one.segment) for one in both] == [("firing", ""), ("resolved", "")]
    alone = run(rule, day(0, "ok", "warn"), day(1, "fail", "warn"), day(2, "ok", "ok"))[1]
    assert [(one.state, one.segment) for one in alone] == [
        ("firing", "c=UA"),
        ("firing", ""),
        ("resolved", "c=UA"),
        ("resolved", ""),
    ]


def test_a_criterion_is_one_alert_whichever_group_it_fails_for() -> None:
    """It fires for one group, goes on for another without a new edge, and is resolved when it holds for all."""
    found = []
    for day, (group, verdict) in enumerate((("a", "fail"), ("b", "fail"), ("", "ok"))):
        figure = Figure("fairness", "sex", "four_fifths", 0.5, verdict=verdict, reason=f"Worst for {group}.")
        figure.segment = f"sex={group}" if group else ""
        found.append(window(day, day, {}, role="accuracy", labels=500, figures=[figure]))
    edges = run(OneBook(alerts=AlertRule(k=1, m=1)), *found)[1]
    assert [(one.state, one.name, one.segment) for one in edges] == [
        ("firing", "four_fifths sex", ""),
        ("resolved", "four_fifths sex", ""),
    ]
    assert [one.reason for one in edges] == [
        "The last window of 1d is bad. Worst for a.",
        "The last window of 1d is well.",
    ]


def test_provisional_performance_waits_for_its_labels() -> None:
    """A window whose labels are still to come does not count; the same window counts once they are there."""
    book, bad = OneBook(), [Figure("performance", "", "auc", 0.6, verdict="fail", reason="low.")]
    early = [window(d, d, {}, role="accuracy", figures=bad, provisional=True) for d in range(5)]
    case, edges = run(book, *early)
    assert edges == []
    ripe = [window(d, 10 + d, {}, role="accuracy", figures=bad) for d in range(2)]
    made = [one for result in ripe for one in take(case, result, book, NOW_MS)]
    assert [(one.state, one.name, one.window_end_ms) for one in made] == [("firing", "auc", 2 * DAY_MS)]


def test_muted_windows_page_nobody() -> None:
    """A bad window that begins in a mute says nothing of what the mute is about; other subjects go on."""
    mute = Mute(since_ms=0, until_ms=10 * DAY_MS, reason="holiday", about=("drift",))
    assert turns("fail", "fail", "fail", mutes=(mute,)) == []
    other = Mute(since_ms=0, until_ms=10 * DAY_MS, reason="holiday", about=("quality",))
    assert turns("fail", "fail", mutes=(other,)) == ["firing fail 1"]


def test_an_edge_says_whom_it_concerns() -> None:
    """Owner, runbook, priority and routes come from the settings; who heard that it fires hears that it ended."""
    contacts = (Contact(route="chat"), Contact(route="pager", severity="fail"))
    book = OneBook(owner="Ana", importance="critical", contacts=contacts)
    case, (warned, failed) = run(book, *days("warn", "warn", "fail", "fail"))
    assert (warned.owner, warned.priority, warned.routes) == ("Ana", 2, ("chat",))
    assert (failed.priority, failed.routes) == (1, ("chat", "pager"))
    nobody = OneBook(owner="Ana")
    ends = [window(day, day, {"x": "ok"}) for day in range(4, 7)]
    ended = [one for result in ends for one in take(case, result, nobody, NOW_MS)]
    assert [one.routes for one in ended] == [("chat", "pager")]


def test_the_rule_of_the_settings_holds() -> None:
    """The deployment's own k and m count; when it looks at another width, alerts of the old one end."""
    assert turns("fail", alerts=AlertRule(k=1, m=1)) == ["firing fail 0"]
    case, edges = run(OneBook(alerts=AlertRule(k=1, m=1)), *days("fail"))
    other = OneBook(alerts=AlertRule(resolution="1h", k=1, m=1))
    ended = take(case, window(1, 1, {"x": "fail"}), other, NOW_MS)
    assert [(one.state, one.alert_id) for one in ended] == [("resolved", edges[0].alert_id)]
    assert ended[0].reason == "The alert rule looks at windows of 1h now, no longer of 1d."


def test_no_more_than_the_bound_fire_at_once() -> None:
    """Past it subjects wait, and are counted; a bad window fires them once there is room."""
    book, names = OneBook(alerts=AlertRule(k=1, m=1)), [f"x{number}" for number in range(OPEN + 5)]
    case, edges = run(book, window(0, 0, dict.fromkeys(names, "fail")))
    assert (len(edges), case.left_out, case.pending) == (OPEN, 5, 5)
    verdicts = dict.fromkeys(names, "fail") | {"x0": "ok"}
    later = take(case, window(1, 1, verdicts), book, NOW_MS)
    assert [(one.name, one.state) for one in later] == [("x0", "resolved"), (f"x{OPEN}", "firing")]


def test_importance_and_severity_make_a_priority() -> None:
    """1 is a critical deployment that fails, 5 a warning of one of low importance."""
    assert [priority(one, "fail") for one in ("critical", "high", "normal", "low")] == [1, 2, 3, 4]
    assert priority("low", "warn") == 5
