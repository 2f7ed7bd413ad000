"""The positive class of a profile: one of the two, shown, and doubted where the reference speaks against it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from driftline.deploy.cli import main

ROWS = 600


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a table whose score is the probability of `churn`, the first of its two classes by name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRIFTLINE_LOCAL_DATA_DIR", str(tmp_path / "data"))
    draw = np.random.default_rng(5)
    churned = draw.random(ROWS) < 0.4
    columns = {
        "age": draw.normal(size=ROWS),
        "score": 1 / (1 + np.exp(-draw.normal(2.0 * churned - 1, 1.0))),
        "target": np.where(churned, "churn", "stay"),
    }
    pq.write_table(pa.table(columns), tmp_path / "bank.parquet")
    pq.write_table(pa.table(columns).drop_columns(["target"]), tmp_path / "blind.parquet")
    return tmp_path / "bank.parquet"


def build(table: Path, *words: str) -> int:
    """Run `profile build` on a table into a file beside it; gives the exit code."""
    out = str(table.with_suffix(".profile"))
    fixed = ["--deployment", "zeb", "--version", "1", "--scores", "held-out", "--out", out]
    return main(["profile", "build", str(table), *fixed, *words])


def test_a_positive_class_that_is_none_of_the_two_is_refused(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence names the word and both classes; no profile is written."""
    assert build(table, "--positive-class", "zebra") == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "driftline: --positive-class zebra was given, but it is no class of the table's truth: it is one of churn, stay"
    )
    assert not table.with_suffix(".profile").exists()


def test_a_positive_class_without_two_classes_is_refused(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table without truth has no class to choose."""
    assert build(table.with_name("blind.parquet"), "--positive-class", "churn") == 1
    assert "has no truth of two classes to choose from" in capsys.readouterr().err


def test_a_reference_that_speaks_for_the_other_class_is_a_warning(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Taken by its name `stay` is positive; both commands say so, and how to build for `churn`."""
    assert build(table) == 0
    built = capsys.readouterr()
    assert main(["profile", "show", str(table.with_suffix(".profile"))]) == 0
    shown = capsys.readouterr()
    for said in (built, shown):
        assert "Positive class: stay (not churn), AUC of the reference 0." in said.out
        assert said.err.startswith("driftline: warning: the reference's AUC is 0.")
        assert said.err.endswith("build the profile again with --positive-class churn\n")
        assert len(said.err.splitlines()) == 1


def test_the_right_positive_class_is_shown_without_a_warning(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `churn` the AUC is one less that of `stay`, for people and programs."""
    found = {}
    for name in ("stay", "churn"):
        assert build(table, "--positive-class", name) == 0
        capsys.readouterr()
        assert main(["profile", "show", str(table.with_suffix(".profile")), "--json"]) == 0
        said = capsys.readouterr()
        assert ("warning" in said.err) == (name == "stay")
        facts = json.loads(said.out)
        assert facts["positive_class"] == name
        found[name] = facts["auc"]
    assert found["churn"] > 0.8
    assert found["churn"] + found["stay"] == pytest.approx(1.0, abs=1e-12)


def test_without_truth_there_is_no_positive_class(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A profile without truth says null to programs, and nothing to people."""
    blind = table.with_name("blind.parquet")
    assert build(blind) == 0
    assert "Positive class" not in capsys.readouterr().out
    assert build(blind, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["positive_class"], facts["auc"]) == (None, None)
