"""Comparing two versions by their windows: few calls, few windows and slow moments are no proof."""

from __future__ import annotations

import pytest
from rollout_windows import BOUND, drift, truth, window

from driftline.agents.control.controller.comparing import failed, measured, predicted, waited
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.window import Figure


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


BY_AUC = DeploymentSettings(deployment="churn", primary_metric="auc")


def test_an_auc_of_few_rows_proves_nothing() -> None:
    """Bounds of an AUC tell nothing of chance: 0.034 between two windows of 700 rows each is none, of 70,000 it is."""
    few = [truth("2", "canary", auc=0.7311, half=0.0466)], [truth("1", "champion", auc=0.7648, half=0.0515)]
    assert measured("performance", *few, BY_AUC)[0] == "wait"
    even = [truth("2", "canary", half=0.0466)], [truth("1", "champion", half=0.0515)]
    assert measured("performance", *even, BY_AUC)[0] == "wait"
    many = [truth("2", "canary", auc=0.7311, half=0.005)], [truth("1", "champion", auc=0.7648, half=0.005)]
    assert measured("performance", *many, BY_AUC)[0] == "worse"


@pytest.mark.parametrize("chance", [None, -0.02, float("nan"), float("inf")])
def test_an_auc_whose_chance_is_not_told_is_no_evidence(chance: float | None) -> None:
    """Neither for the canary nor against it."""
    auc = Figure(
        "performance", "", "auc", 0.7, low=0.7 - BOUND, high=0.7 + BOUND, interval="bounds", rows=1_000
    )
    new = window("accuracy", "2", "canary", auc, Figure("performance", "", "auc_error", chance))
    found = measured("performance", [new], [truth("1", "champion")], BY_AUC)
    assert found[0] == "wait"
    assert found[1].startswith("it is not known how sure auc is")
