"""Scores that are quantiles of a regression: pinball loss equal to scikit-learn's on the joined rows of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from joined_tables import built, month_of, written
from sklearn.metrics import mean_pinball_loss, root_mean_squared_error

ROWS = 20_000
LABELLED = 0.8
LEVELS = {"p10": 0.1, "p90": 0.9}


def test_pinball_of_a_table(tmp_path: Path) -> None:
    """Of each declared quantile, over the rows that have both; the number predicted is the score that is none."""
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[columns]\np10 = "score"\npoint = "score"\np90 = "score"\n')
    draw = np.random.default_rng(3)
    truth = draw.gamma(2.0, 10.0, ROWS)
    point = (truth + draw.normal(0, 5, ROWS)).astype(np.float32).astype(np.float64)
    said = {name: (point + 8 * (level - 0.5) * 2).astype(np.float32) for name, level in LEVELS.items()}
    said["p90"][:100] = np.nan
    known = draw.random(ROWS) < LABELLED
    target = [float(one) if is_known else None for one, is_known in zip(truth, known, strict=True)]
    file = written(tmp_path / "table.parquet", p10=said["p10"], point=point.astype(np.float32), p90=said["p90"],
                   target=target)  # fmt: skip
    result, book = month_of(file, built(file, mapping), mapping, task="regression", quantiles=LEVELS)
    assert book.held.scheme is not None
    assert book.held.scheme.scores == ("point",)
    figures = {(one.metric, one.feature): one for one in result.figures if one.kind == "performance"}
    assert figures["rmse", ""].value == pytest.approx(
        root_mean_squared_error(truth[known], point[known]), rel=1e-9
    )
    for name, level in LEVELS.items():
        rows = known & np.isfinite(said[name])
        want = mean_pinball_loss(truth[rows], said[name][rows].astype(float), alpha=level)
        figure = figures["pinball", name]
        assert figure.value == pytest.approx(want, rel=1e-9)
        assert (figure.rows, figure.interval) == (rows.sum(), "days")
        assert figure.low < figure.value < figure.high
