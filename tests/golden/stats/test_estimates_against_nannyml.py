"""Estimated performance against NannyML's CBPE, and against the truth, on the same seeded tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from seeded_tables import Table, binary_table, class_table
from sklearn import metrics

from driftline.streams.stats.class_calibration import class_calibration, class_reference, fold
from driftline.streams.stats.estimate import Estimate
from driftline.streams.stats.estimate_binary import (
    binary_calibration,
    binary_counts,
    binary_reference,
    estimate_binary,
)
from driftline.streams.stats.estimate_classes import estimate_classes
from driftline.streams.windows.edges import find_edges

CBPE = json.loads((Path(__file__).parent / "nannyml_cbpe.json").read_text(encoding="utf-8"))


def of_binary(reference: Table, window: Table) -> Estimate:
    """Estimate from the bins that a profile has."""
    edges = find_edges(reference.scores, "score", 0.5).fine
    calibration = binary_calibration(binary_reference(*reference, edges))
    assert calibration is not None
    return estimate_binary(calibration, binary_counts(window.scores, window.said, edges))


def of_classes(reference: Table, window: Table) -> Estimate:
    """Estimate by folding each row of the window."""
    kept = class_reference(*reference)
    assert kept is not None
    calibration = class_calibration(kept)
    assert calibration is not None
    return estimate_classes(calibration, fold(calibration, window.scores, window.said))


@pytest.mark.parametrize("metric", sorted(CBPE["binary"]))
def test_two_classes_agree_with_cbpe(metric: str) -> None:
    """Every figure of two classes is within 0.0015 of NannyML's."""
    value = of_binary(*binary_table()).of(metric).value
    assert value == pytest.approx(CBPE["binary"][metric], abs=0.0015)


def test_two_classes_hold_the_truth() -> None:
    """Accuracy and AUC are within 0.002 of scikit-learn's on the labels that came later, and in the interval."""
    reference, window = binary_table()
    found = of_binary(reference, window)
    truth = {
        "accuracy": metrics.accuracy_score(window.truth, window.said),
        "auc": metrics.roc_auc_score(window.truth, window.scores),
        "log_loss": metrics.log_loss(window.truth, window.scores.astype(np.float64)),
    }
    for name, value in truth.items():
        figure = found.of(name)
        assert figure.value == pytest.approx(value, abs=0.003)
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low <= value <= figure.high


@pytest.mark.parametrize("metric", sorted(CBPE["classes"]))
def test_many_classes_agree_with_cbpe_within_its_bias_and_are_nearer_the_truth(metric: str) -> None:
    """Four classes are within 0.02 of NannyML's; its calibrated shares are normalised and not held against a count."""
    reference, window = class_table()
    value = of_classes(reference, window).of(metric).value
    assert value == pytest.approx(CBPE["classes"][metric], abs=0.02)
    if metric == "accuracy":
        truth = metrics.accuracy_score(window.truth, window.said)
        assert value == pytest.approx(truth, abs=0.005)
        assert abs(CBPE["classes"][metric] - truth) > 0.01
