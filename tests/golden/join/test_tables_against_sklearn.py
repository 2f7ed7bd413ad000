"""Tables of 50,000 rows, from file to figures of a month: equal to scikit-learn's on the joined rows."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from joined_tables import REGIONS, built, month_of, written
from numpy.typing import NDArray
from sklearn import metrics

from driftline.schemas.window import Figure, WindowResult
from driftline.streams.join.outcomes_bytes import unpack
from driftline.streams.join.performance import performance_figures

ROWS = 50_000
KINDS = ("ant", "bee", "cat", "dog")
LABELLED = 0.9
AUC_WIDTH = 0.02
"""How far apart the bounds of an AUC may lie."""


class Rows(NamedTuple):
    """A table's columns, and which rows have a label."""

    score: NDArray[np.float64]
    truth: NDArray[np.int64]
    region: NDArray[np.str_]
    has_label: NDArray[np.bool_]


def binary_rows(seed: int, share: float, shift: float = 0.0) -> Rows:
    """Rows of a score that ranks well; `shift` moves it by so many of its standard deviations, in the logit."""
    draw = np.random.default_rng([seed, round(share * 10_000)])
    truth = (draw.random(ROWS) < share).astype(np.int64)
    logit = draw.normal(1.4 * truth, 1.0) + np.log(share / (1 - share)) + shift
    score = (1 / (1 + np.exp(-logit))).astype(np.float32).astype(np.float64)
    region = draw.choice(REGIONS, ROWS, p=[0.6, 0.3, 0.1])
    return Rows(score, truth, region, draw.random(ROWS) < LABELLED)


def table(file: Path, rows: Rows) -> Path:
    """Write the rows of a binary task; a row without a label has no target."""
    target = [int(one) if known else None for one, known in zip(rows.truth, rows.has_label, strict=True)]
    return written(file, score=rows.score, region=rows.region, target=target)


def segmented(folder: Path) -> Path:
    """A mapping that makes the region a segment."""
    file = folder / "mapping.toml"
    file.write_text('[columns]\nregion = "segment"\n')
    return file


def by_metric(result: WindowResult, kind: str = "performance") -> dict[tuple[str, str], Figure]:
    """Figures of the whole window by metric and class."""
    return {(one.metric, one.feature): one for one in result.figures if one.kind == kind and not one.segment}


CASES = pytest.mark.parametrize(
    ("share", "shift"), [(0.5, 0.0), (0.01, 0.0), (0.001, 0.0), (0.5, 1.0), (0.01, -1.0)]
)


@CASES
def test_a_binary_table(tmp_path: Path, share: float, shift: float) -> None:
    """Counts `==`, losses to 1e-9, ranks inside bounds: balanced, 1 %, 0.1 % positives, scores shifted by one sd."""
    mapping = segmented(tmp_path)
    profile = built(table(tmp_path / "reference.parquet", binary_rows(1, share)), mapping)
    rows = binary_rows(2, share, shift)
    result, book = month_of(table(tmp_path / "live.parquet", rows), profile, mapping)
    known = rows.has_label
    truth, score = rows.truth[known], rows.score[known]
    said = (score > 0.5).astype(int)
    outcomes = unpack(result.counts)
    assert (result.rows, result.labels) == (ROWS, known.sum())
    assert (outcomes.confusion == metrics.confusion_matrix(truth, said, labels=[0, 1])).all()
    figures = by_metric(result)
    assert figures["accuracy", ""].value == metrics.accuracy_score(truth, said)
    assert figures["coverage", ""].value == known.sum() / ROWS
    for name, value in (
        ("log_loss", metrics.log_loss(truth, score)),
        ("brier", metrics.brier_score_loss(truth, score)),
        ("mcc", metrics.matthews_corrcoef(truth, said) if said.any() else None),
        ("recall", metrics.recall_score(truth, said)),
    ):
        assert figures[name, ""].value == (None if value is None else pytest.approx(value, rel=1e-9)), name
    # Over days the bounds give way to an interval; the counts of the month give the bounds.
    bounds = {one.metric: one for one in performance_figures(book.held.scheme, outcomes)}
    for name, value in (
        ("auc", metrics.roc_auc_score(truth, score)),
        ("average_precision", metrics.average_precision_score(truth, score)),
    ):
        figure = bounds[name]
        assert figure.interval == "bounds"
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low - 1e-12 <= value <= figure.high + 1e-12, name
        assert figures[name, ""].value == figure.value
    assert bounds["auc"].high - bounds["auc"].low < AUC_WIDTH
    assert book.held.yardstick is not None
    assert {("auc", ""), ("accuracy", ""), ("log_loss", "")} <= by_metric(result, "estimate").keys()


def test_scores_of_few_values_hide_no_order(tmp_path: Path) -> None:
    """A tree of eight leaves: AUC and average precision of a window are scikit-learn's, bounds of no width."""
    mapping = segmented(tmp_path)
    leaves = np.linspace(0.05, 0.9, 8).astype(np.float32).astype(np.float64)
    tables = []
    for seed in (1, 2):
        rows = binary_rows(seed, 0.5)
        tables.append(rows._replace(score=leaves[np.floor(rows.score * 7.999).astype(int)]))
    profile = built(table(tmp_path / "reference.parquet", tables[0]), mapping)
    result, book = month_of(table(tmp_path / "live.parquet", tables[1]), profile, mapping)
    known = tables[1].has_label
    truth, score = tables[1].truth[known], tables[1].score[known]
    found = {one.metric: one for one in performance_figures(book.held.scheme, unpack(result.counts))}
    for name, value in (
        ("auc", metrics.roc_auc_score(truth, score)),
        ("average_precision", metrics.average_precision_score(truth, score)),
    ):
        figure = found[name]
        assert (figure.value, figure.low, figure.high) == (pytest.approx(value, rel=1e-9),) * 3, name


def test_fairness_of_a_binary_table(tmp_path: Path) -> None:
    """Rates of every region equal a plain count: selection over all rows, the others over those with a label."""
    mapping = segmented(tmp_path)
    profile = built(table(tmp_path / "reference.parquet", binary_rows(1, 0.5)), mapping)
    rows = binary_rows(2, 0.5)
    result, _ = month_of(table(tmp_path / "live.parquet", rows), profile, mapping)
    told = {(one.segment, one.metric): one for one in result.figures if one.kind == "fairness"}
    performance = {
        (one.segment, one.metric): one for one in result.figures if one.kind == "performance" and one.segment
    }
    said = rows.score > 0.5
    for region in REGIONS:
        name = f"region={region}"
        mine = rows.region == region
        joined = mine & rows.has_label
        yes, no = joined & (rows.truth == 1), joined & (rows.truth == 0)
        assert told[name, "selection_rate"].value == said[mine].mean()
        assert told[name, "tpr"].value == said[yes].mean()
        assert told[name, "fpr"].value == said[no].mean()
        assert told[name, "ppv"].value == rows.truth[joined & said].mean()
        assert told[name, "ppv"].rows == (joined & said).sum()
        assert performance[name, "accuracy"].value == (said == rows.truth)[joined].mean()
        assert performance[name, "coverage"].value == rows.has_label[mine].mean()
    rates = [told[f"region={region}", "selection_rate"].value for region in REGIONS]
    (fifths,) = [one for one in result.figures if one.metric == "four_fifths"]
    assert fifths.value == pytest.approx(min(rates) / max(rates), abs=1e-12)


def class_rows(seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Scores (n, 4) and true classes."""
    draw = np.random.default_rng(seed)
    truth = draw.choice(len(KINDS), ROWS, p=[0.4, 0.3, 0.2, 0.1])
    logit = draw.normal(0, 1, (ROWS, len(KINDS)))
    logit[np.arange(ROWS), truth] += 1.5
    weights = np.exp(logit)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32), truth


def class_table(file: Path, scores: NDArray[np.float32], truth: NDArray[np.int64]) -> Path:
    """Write the rows of many classes."""
    columns = {f"p_{kind}": scores[:, at] for at, kind in enumerate(KINDS)}
    return written(file, **columns, target=[KINDS[one] for one in truth])


def test_a_table_of_many_classes(tmp_path: Path) -> None:
    """Counts `==`, figures of all and of each class to 1e-12, losses to 1e-9; estimates and a yardstick are there."""
    profile = built(class_table(tmp_path / "reference.parquet", *class_rows(1)))
    scores, truth = class_rows(2)
    result, book = month_of(class_table(tmp_path / "live.parquet", scores, truth), profile)
    said = scores.argmax(axis=1)
    outcomes = unpack(result.counts)
    assert book.held.scheme is not None
    assert book.held.scheme.classes == KINDS
    assert (outcomes.confusion == metrics.confusion_matrix(truth, said, labels=range(4))).all()
    figures = by_metric(result)
    assert figures["accuracy", ""].value == metrics.accuracy_score(truth, said)
    wide = scores.astype(np.float64)
    onehot = np.eye(len(KINDS))[truth]
    own = -np.log(np.clip(wide[np.arange(ROWS), truth], np.finfo(float).eps, 1 - np.finfo(float).eps))
    assert figures["log_loss", ""].value == pytest.approx(own.mean(), rel=1e-9)
    assert own.mean() == pytest.approx(
        metrics.log_loss(truth, wide / wide.sum(axis=1, keepdims=True)), rel=1e-6
    )
    assert figures["brier", ""].value == pytest.approx(((wide - onehot) ** 2).sum(axis=1).mean(), rel=1e-9)
    assert figures["macro_f1", ""].value == pytest.approx(
        metrics.f1_score(truth, said, average="macro"), abs=1e-12
    )
    for at, kind in enumerate(KINDS):
        for name, score in (("precision", metrics.precision_score), ("recall", metrics.recall_score)):
            wanted = score(truth, said, labels=[at], average=None)[0]
            assert figures[name, kind].value == pytest.approx(wanted, abs=1e-12)
    assert figures["macro_f1", ""].verdict == "ok"
    assert figures["macro_f1", ""].block is not None
    estimated = by_metric(result, "estimate")
    assert estimated["accuracy", ""].value == pytest.approx(figures["accuracy", ""].value, abs=0.01)
    assert estimated["macro_f1", ""].verdict == "ok"


def test_a_table_of_numbers(tmp_path: Path) -> None:
    """Figures of a regression to 1e-9; the estimate says that there is none, and why."""

    def rows(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        draw = np.random.default_rng(seed)
        truth = draw.normal(100, 30, ROWS).round(1)
        return (truth + draw.normal(1, 9, ROWS)).astype(np.float32).astype(np.float64), truth

    said, truth = rows(1)
    profile = built(written(tmp_path / "reference.parquet", prediction=said, target=truth))
    said, truth = rows(2)
    result, _ = month_of(written(tmp_path / "live.parquet", prediction=said, target=truth), profile)
    figures = by_metric(result)
    nonzero = truth != 0
    for name, value in (
        ("mae", metrics.mean_absolute_error(truth, said)),
        ("rmse", metrics.root_mean_squared_error(truth, said)),
        ("bias", (said - truth).mean()),
        ("r2", metrics.r2_score(truth, said)),
        ("mape", metrics.mean_absolute_percentage_error(truth[nonzero], said[nonzero])),
        ("zero_targets", ROWS - nonzero.sum()),
    ):
        assert figures[name, ""].value == pytest.approx(value, rel=1e-9), name
    assert figures["rmse", ""].verdict == "ok"
    (none,) = by_metric(result, "estimate").values()
    assert none.value is None
    assert none.reason
