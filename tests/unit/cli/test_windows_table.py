"""How figures of windows look to a person, and to a program."""

from __future__ import annotations

import dataclasses

import pytest
from rich.console import Console

from driftline.deploy.cli.windows_line import Line
from driftline.deploy.cli.windows_table import render, show

APRIL = 1_364_774_400_000
MAY = 1_367_366_400_000
TEMP = Line(
    deployment="flights",
    model_version="1",
    slot="champion",
    resolution="1M",
    window_start_ms=APRIL,
    window_end_ms=MAY,
    kind="drift",
    feature="temp",
    metric="psi",
    value=0.812,
    null=0.001,
    floor=0.25,
    block=0.534,
    verdict="fail",
    reason="",
    rows=28_330,
    reference_rows=50_001,
    final=True,
    restated=False,
    window_rows=28_330,
)


def drawn(*lines: Line, unfold: bool = False) -> list[str]:
    """Return what a reader without a terminal sees, by line."""
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(render(lines, unfold=unfold), soft_wrap=True)
    return capture.get().splitlines()


def test_a_failure_shows_its_figure_and_the_limit_it_exceeds() -> None:
    """A drifted feature stands with its value and the greatest of its three thresholds."""
    heading, line, _ = drawn(TEMP)
    assert heading == "2013-04  version 1  28,330 rows  final"
    assert line.split() == ["FAIL", "drift", "temp", "psi", "0.812", "limit", "0.534"]


def test_no_verdict_is_never_taken_for_ok() -> None:
    """Inconclusive and no data stand with words of their own and their reason, apart from ok."""
    few = dataclasses.replace(TEMP, verdict="inconclusive", value=None, rows=120, reason="120 rows of 200")
    none = dataclasses.replace(few, feature="dewp", rows=0, reason="no rows")
    lines = drawn(few, none)
    assert lines[1].split(maxsplit=2) == ["no", "data", "dewp: no rows"]
    assert lines[2].split(maxsplit=1) == ["inconclusive", "temp: 120 rows of 200"]
    assert "ok" not in " ".join(lines)
    assert lines[-1] == "1 window of 1M: 1 no data, 1 inconclusive"


def test_what_drifted_comes_first_and_ok_is_folded() -> None:
    """Within a window failures come first; features that are well share one line, unless asked for."""
    calm = [dataclasses.replace(TEMP, feature=f"f{i}", verdict="ok", value=0.01) for i in range(7)]
    folded = drawn(*calm, TEMP)
    assert "temp" in folded[1]
    assert folded[2].split(maxsplit=1) == ["ok", "f0, f1, f2, f3, f4 and 2 more"]
    assert len(drawn(*calm, TEMP, unfold=True)) == len([TEMP, *calm]) + 2


def test_one_reason_is_said_once() -> None:
    """Features without a verdict for one reason share a line, however many figures each has."""
    wait = dataclasses.replace(TEMP, verdict="inconclusive", reason="The window is still open.")
    many = [
        dataclasses.replace(wait, feature=f"f{i}", kind=kind)
        for i in range(9)
        for kind in ("drift", "quality")
    ]
    assert [line.strip() for line in drawn(*many)[1:-1]] == [
        "inconclusive f0, f1, f2, f3, f4 and 4 more: The window is still open.",
    ]


def test_a_feature_that_drifted_is_not_named_among_the_ok_ones() -> None:
    """The folded line names the features of which every figure is ok."""
    nulls = dataclasses.replace(TEMP, kind="quality", metric="nulls", verdict="ok")
    lines = drawn(TEMP, nulls, dataclasses.replace(nulls, feature="dewp"))
    assert lines[2].split() == ["ok", "dewp"]
    assert drawn(TEMP, nulls)[2].split(maxsplit=1) == ["ok", "all other figures"]


def test_eighty_columns_are_enough() -> None:
    """No line is wider than 80 columns, a long reason included."""
    wordy = dataclasses.replace(
        TEMP, kind="prediction", verdict="inconclusive", reason="scores in sample: " * 9
    )
    quality = dataclasses.replace(TEMP, kind="quality", metric="null_share", value=123.0, verdict="warn")
    fair = dataclasses.replace(
        TEMP, kind="fairness", feature="carrier", segment="carrier=VX", metric="demographic_parity"
    )
    lost = dataclasses.replace(fair, kind="performance", metric="log_loss")
    assert max(map(len, drawn(wordy, quality, fair, lost))) <= 80
    assert any("carrier=VX" in line and "demographic_parity" in line for line in drawn(fair))


def test_windows_stand_in_the_order_of_time() -> None:
    """The oldest window comes first, whatever order the rows came in."""
    later = dataclasses.replace(TEMP, window_start_ms=MAY, final=False, restated=True)
    headings = [line for line in drawn(later, TEMP) if line.startswith("2013")]
    assert headings[0].startswith("2013-04")
    assert headings[1] == "2013-05  version 1  28,330 rows  open, restated"


def test_figures_without_a_verdict_are_left_to_json() -> None:
    """A figure of drift that carries no verdict has no line; with none left the reader is told so."""
    assert drawn(dataclasses.replace(TEMP, verdict=None)) == ["No figure with a verdict was found."]


def health(**values: float | None) -> list[Line]:
    """Return the lines of health of a window, by metric."""
    plain = dataclasses.replace(
        TEMP, kind="health", feature="", verdict=None, null=None, floor=None, block=None
    )
    return [dataclasses.replace(plain, metric=metric, value=value) for metric, value in values.items()]


def test_the_health_of_a_window_stands_on_one_line() -> None:
    """Rate, errors with the statuses that make them, most frequent first, and latencies come after the verdicts."""
    lines = drawn(
        *health(rate=8.3333, errors=0.012, errors_error=0.004, errors_timeout=0.008, errors_invalid=0.0),
        *health(latency_p50=12.34, latency_p95=1204.0, latency_p99=float("inf"), latency_known=1.0),
        TEMP,
    )
    assert "FAIL" in lines[1]
    assert " ".join(" ".join(lines[2:-1]).split()) == (
        "health 8.33 events/s, errors 1.2% (timeout 0.8%, error 0.4%), "
        "latency p50 12.3 ms, p95 1.2 s, p99 over 70 min"
    )
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "1 window of 1M: 1 FAIL"


def test_health_that_nobody_told_is_left_out() -> None:
    """Without status and latency the line has the rate alone; a window whose health is undefined has no line."""
    assert drawn(*health(rate=0.5, errors=None, latency_p50=None))[1].split() == ["health", "0.5", "events/s"]
    assert len(drawn(TEMP, *health(rate=None, errors=None))) == 3


def test_no_colours_where_nobody_sees_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Outside a terminal the output holds no escape sequence."""
    show(render([TEMP]))
    assert "\x1b" not in capsys.readouterr().out


def test_json_carries_every_field() -> None:
    """A line of --json holds the named fields, thresholds as one object and times in UTC."""
    line = TEMP.as_json()
    assert line["thresholds"] == {"null": 0.001, "floor": 0.25, "block": 0.534}
    assert (line["window_start"], line["window_end"]) == ("2013-04-01T00:00:00Z", "2013-05-01T00:00:00Z")
    assert set(line) >= {
        "deployment",
        "model_version",
        "kind",
        "feature",
        "metric",
        "value",
        "verdict",
        "reason",
    }
    assert set(line) >= {"rows", "reference_rows", "resolution", "final", "restated"}


def test_a_value_of_a_segment_is_named_with_its_feature_when_it_asks_for_attention() -> None:
    """Drift within carrier=UA is a line of its own; values that are well, or have too few rows, are left out."""
    moved = dataclasses.replace(TEMP, verdict="warn", block=None, segment="carrier=UA")
    calm = dataclasses.replace(moved, verdict="ok", segment="carrier=AA")
    few = dataclasses.replace(moved, verdict="inconclusive", segment="carrier=HA")
    lines = drawn(moved, calm, few)
    assert lines[1].split() == ["WARN", "drift", "temp", "carrier=UA", "psi", "0.812", "limit", "0.250"]
    assert len(lines) == 3
    assert len(drawn(dataclasses.replace(TEMP, verdict="fail"), moved)) == 3
    assert moved.as_json()["segment"] == "carrier=UA"
