"""What a profile says of its reference's truth equals scikit-learn's figures on the reference's rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from joined_tables import built, written
from numpy.typing import NDArray
from pyarrow import parquet as pq
from sklearn import metrics

from driftline.deploy.tables.build import build_from_table
from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.plan import plan_table
from driftline.schemas.profile import Profile
from driftline.schemas.window import Figure
from driftline.streams.join.scheme_of import scheme_of
from driftline.streams.join.yardstick import Yardstick, yardstick_of

ROWS = 4_000
CLASSES = ("cat", "cow", "dog")
Column = NDArray[Any] | list[Any]


def yardstick(profile: Profile) -> Yardstick:
    """The yardstick of a profile, as it comes back from its bytes."""
    read = Profile.from_bytes(profile.to_bytes())
    found = yardstick_of(read, scheme_of(read, read.digest()))
    assert found is not None
    return found


def whole(found: Yardstick) -> dict[str, Figure]:
    """Figures of the whole reference."""
    return {metric: figure for (metric, feature), figure in found.figures.items() if not feature}


def binary() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Scores and truths of two classes."""
    draw = np.random.default_rng(8)
    truth = (draw.random(ROWS) < 0.3).astype(np.int64)
    return 1 / (1 + np.exp(-draw.normal(1.5 * truth - 1, 1.0))), truth


TYPES: dict[str, tuple[Callable[[NDArray[np.int64]], Column], tuple[str, str]]] = {
    "bool": (lambda truth: truth.astype(bool), ("false", "true")),
    "text": (lambda truth: np.array(["bad", "good"])[truth].tolist(), ("bad", "good")),
    "yes": (lambda truth: np.array(["no", "yes"])[truth].tolist(), ("no", "yes")),
    "int": (lambda truth: truth, ("0", "1")),
    "float": (lambda truth: truth.astype(float), ("0", "1")),
}


@pytest.mark.parametrize("kind", sorted(TYPES))
@pytest.mark.parametrize("names", [False, True], ids=["scores", "classes"])
def test_two_classes_of_every_type(tmp_path: Path, kind: str, *, names: bool) -> None:
    """Truth as bool, text, int or float, with and without a predicted class: counts `==`, losses to 1e-9."""
    score, truth = binary()
    as_type, classes = TYPES[kind]
    said = (score > 0.4).astype(np.int64) if names else (score > 0.5).astype(np.int64)
    columns: dict[str, Column] = {"score": score, "target": as_type(truth)}
    if names:
        columns["predicted"] = as_type(said)
    found = yardstick(built(written(tmp_path / "reference.parquet", **columns)))
    assert (found.scheme.task, found.scheme.classes) == ("binary", classes)
    assert (found.total.confusion == metrics.confusion_matrix(truth, said)).all()
    figures = whole(found)
    assert figures["accuracy"].value == metrics.accuracy_score(truth, said)
    assert figures["coverage"].value == 1.0
    assert figures["log_loss"].value == pytest.approx(metrics.log_loss(truth, score), rel=1e-9)
    assert figures["brier"].value == pytest.approx(metrics.brier_score_loss(truth, score), rel=1e-9)
    auc = metrics.roc_auc_score(truth, score)
    assert figures["auc"].value == pytest.approx(auc, abs=1e-3)
    assert found.calibration is not None


def test_without_times_all_is_one_day(tmp_path: Path) -> None:
    """A reference without times has the same figures; AUC and average precision lie inside the bounds of bins."""
    score, truth = binary()
    pq.write_table(pa.table({"score": score, "target": truth}), tmp_path / "reference.parquet")
    found = yardstick(built(tmp_path / "reference.parquet"))
    assert len(found.days) == 1
    figures = whole(found)
    assert figures["accuracy"].value == metrics.accuracy_score(truth, score > 0.5)
    for name, value in (
        ("auc", metrics.roc_auc_score(truth, score)),
        ("average_precision", metrics.average_precision_score(truth, score)),
    ):
        figure = figures[name]
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low - 1e-12 <= value <= figure.high + 1e-12


@pytest.mark.parametrize("names", [False, True], ids=["scores", "classes"])
@pytest.mark.parametrize("prefix", ["p_", "score_"])
def test_scores_of_many_classes(tmp_path: Path, prefix: str, *, names: bool) -> None:
    """Scores named like the classes after a prefix are held against them, whatever their order in the table."""
    draw = np.random.default_rng(9)
    truth = draw.integers(0, 3, ROWS)
    logit = draw.normal(0, 1, (ROWS, 3))
    logit[np.arange(ROWS), truth] += 1
    scores = np.exp(logit) / np.exp(logit).sum(axis=1, keepdims=True)
    said = draw.integers(0, 3, ROWS) if names else scores.argmax(axis=1)
    columns: dict[str, Column] = {f"{prefix}{CLASSES[at]}": scores[:, at] for at in (2, 0, 1)}
    columns["target"] = [CLASSES[one] for one in truth]
    if names:
        columns["predicted"] = [CLASSES[one] for one in said]
    found = yardstick(built(written(tmp_path / "reference.parquet", **columns)))
    assert (found.scheme.task, sorted(found.scheme.classes)) == ("classes", sorted(CLASSES))
    assert found.scheme.scores == tuple(f"{prefix}{one}" for one in found.scheme.classes)
    order = [CLASSES.index(one) for one in found.scheme.classes]
    assert (found.total.confusion == metrics.confusion_matrix(truth, said, labels=order)).all()
    figures = whole(found)
    assert figures["macro_f1"].value == pytest.approx(
        metrics.f1_score(truth, said, average="macro"), abs=1e-12
    )
    assert figures["log_loss"].value == pytest.approx(metrics.log_loss(truth, scores), rel=1e-9)
    assert found.scheme.calibration is not None


def test_numbers(tmp_path: Path) -> None:
    """A number held against a number: errors to 1e-9, also where truths are whole numbers."""
    draw = np.random.default_rng(10)
    truth = draw.integers(1, 90, ROWS)
    said = truth + draw.normal(0, 3, ROWS)
    found = yardstick(built(written(tmp_path / "reference.parquet", prediction=said, target=truth)))
    assert found.scheme.task == "regression"
    figures = whole(found)
    assert figures["mae"].value == pytest.approx(metrics.mean_absolute_error(truth, said), rel=1e-9)
    assert figures["rmse"].value == pytest.approx(metrics.root_mean_squared_error(truth, said), rel=1e-9)
    assert figures["r2"].value == pytest.approx(metrics.r2_score(truth, said), rel=1e-9)


def test_rows_without_truth_are_told_by_the_coverage(tmp_path: Path) -> None:
    """A null target is no truth: figures are those of the others, coverage their share."""
    score, truth = binary()
    target = [int(one) if row % 4 else None for row, one in enumerate(truth)]
    found = yardstick(built(written(tmp_path / "reference.parquet", score=score, target=target)))
    known = np.arange(ROWS) % 4 > 0
    assert whole(found)["coverage"].value == 0.75
    assert whole(found)["accuracy"].value == metrics.accuracy_score(truth[known], score[known] > 0.5)


@pytest.mark.parametrize("kind", [pa.null(), pa.int64(), pa.string(), pa.bool_(), pa.float64()])
def test_no_truth_at_all(tmp_path: Path, kind: pa.DataType) -> None:
    """A target that is null everywhere gives a profile without truth, and no yardstick."""
    score, _ = binary()
    profile = built(written(tmp_path / "reference.parquet", score=score, target=pa.nulls(ROWS, kind)))
    assert profile.truth is None
    assert yardstick_of(profile, scheme_of(profile, profile.digest())) is None


@pytest.mark.parametrize(
    "target", [pa.array([[1, 2]] * ROWS), pa.array([b"yes"] * ROWS), pa.array([{"a": 1}] * ROWS)]
)
def test_a_target_of_a_type_that_is_no_truth(tmp_path: Path, target: pa.Array) -> None:
    """A list, bytes or a struct as the target is one sentence that names the column and says what to do."""
    score, _ = binary()
    file = written(tmp_path / "reference.parquet", score=score, target=target)
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[columns]\ntarget = "target"\n')
    with pytest.raises(TableError) as caught:
        build_from_table(plan_table(file, mapping), "shop", "1", provenance="held-out")
    said = str(caught.value)
    assert "target" in said
    assert "\n" not in said
    assert len(said) < 300
