"""Comparing two versions by their windows: few calls, few windows and slow moments are no proof."""

from __future__ import annotations

from rollout_windows import drift

from driftline.agents.control.controller.comparing import failed, predicted, waited


def test_few_calls_prove_nothing() -> None:
    """No failure among few calls, or one wait of few, is no proof either way."""
    few, many = [drift("2", "canary", rows=199)], [drift("1", "champion", rows=10**6)]
    assert failed(few, many)[0] == "wait"
    assert waited(few, many)[0] == "wait"
    assert failed([drift("2", "canary", rows=210)], many)[0] == "pass"


def test_most_windows_decide_on_predictions() -> None:
    """One window that fails among three passes; two of three are worse."""
    well, bad, its = drift("2", "canary"), drift("2", "canary", verdict="fail"), [drift("1", "champion")]
    assert predicted([well, bad, well], its)[0] == "pass"
    assert predicted([bad, well], its)[0] == "wait"
    assert predicted([bad, well, bad], its)[0] == "worse"


def test_a_busy_time_is_no_fault_of_a_version() -> None:
    """Of other times the other's own windows say how much latencies differ by the time; four of them show it."""
    slow = [drift("2", "champion", p95=60.0, rows=2_000)]
    even = [drift("1", "champion", p95=value, rows=2_000) for value in (18.0, 22.0, 20.0, 20.0)]
    wild = [drift("1", "champion", p95=value, rows=2_000) for value in (10.0, 70.0, 15.0, 12.0)]
    assert waited(slow, even, apart=True)[0] == "worse"
    assert waited(slow, wild)[0] == "worse"
    assert waited(slow, wild, apart=True)[0] == "wait"
    assert waited(slow, even[:3], apart=True)[0] == "wait"


def test_a_tail_of_few_calls_is_no_proof() -> None:
    """Of fewer than 2,000 calls each medians are compared, of more the p95: slow moments hit one of two by chance."""
    few = [drift("2", "canary", p95=60.0, rows=1_999)], [drift("1", "champion")]
    assert waited(*few) == ("pass", "p50 10.0 ms, of the other's 10.0 ms")
    many = [drift("2", "canary", p95=60.0, rows=2_000)], [drift("1", "champion", rows=2_000)]
    assert waited(*many) == ("worse", "p95 60.0 ms, of the other's 20.0 ms")
