"""How commands say what they found: examples in docstrings, and what a person sees of a stack that is well."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

from driftline.deploy.cli import main
from driftline.deploy.cli.status import _show
from driftline.deploy.local.lag import Lag
from driftline.deploy.local.report import StatusReport

MODULES = (
    "driftline.deploy.cli.examples", "driftline.deploy.cli.labels", "driftline.deploy.cli.output",
    "driftline.deploy.plan.costs", "driftline.deploy.plan.words",
)  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    """Each module has examples, and they show what the code does."""
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0


def report(*lags: int) -> StatusReport:
    """A stack with one role that lags so much in each partition."""
    return StatusReport(
        ok=True, data_dir="d", supervisor_pid=None, started=None, uptime_seconds=None, bootstrap="", clickhouse="",
        components=[], rows={}, late=[], problems=[],
        lag=[
            Lag(role="drift", topic="predictions", partition=at, committed=0, end=lag, lag=lag)
            for at, lag in enumerate(lags)
        ],
    )  # fmt: skip


def test_only_what_lags_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Of many partitions those behind are listed, and the others are counted."""
    _show(report(0, 1_200, 0))
    shown = capsys.readouterr().out
    assert "drift  predictions  1          1,200" in shown
    assert "2 of 3 partitions that workers read have no lag" in shown
    _show(report(0, 0))
    shown = capsys.readouterr().out
    assert "predictions" not in shown
    assert "2 of 2 partitions that workers read have no lag" in shown


def test_what_is_wrong_is_said_as_every_command_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a stack `status` fails, so its line begins as that of any failure; for `down` that is an answer."""
    monkeypatch.chdir(tmp_path)
    assert main(["status"]) == 1
    assert capsys.readouterr().err.startswith("driftline: no stack runs in ")
    assert main(["down"]) == 0
    assert capsys.readouterr().out.startswith("no stack runs in ")
