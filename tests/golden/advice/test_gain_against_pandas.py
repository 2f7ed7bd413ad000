"""The gain of a candidate equals a plain pandas and scikit-learn computation on the paired rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    mean_absolute_error,
    roc_auc_score,
    root_mean_squared_error,
)

from driftline.schemas.advice import Gain
from driftline.streams.advice.gain import gains_of
from driftline.streams.advice.pairs import Answers, pairs_of
from driftline.streams.join.scheme import Scheme

ROWS = 6_000
DAYS = 40
BINARY = Scheme("p", "binary", ("no", "yes"), ("score",), threshold=0.4)
MANY = Scheme("p", "classes", ("a", "b", "c"), ("a", "b", "c"))
NUMBERS = Scheme("p", "regression", scores=("y",))
Measure = Callable[[pd.DataFrame, str], float]


def binary_frame(decimals: int) -> pd.DataFrame:
    """Return days with an effect of their own, and two models of which the second is better."""
    draw = np.random.default_rng(7)
    frame = pd.DataFrame({"day": draw.integers(0, DAYS, ROWS)})
    effect = np.cumsum(draw.normal(0, 0.2, DAYS))[frame["day"]]
    hidden = draw.normal(size=ROWS) + effect
    frame["truth"] = (draw.random(ROWS) < 1 / (1 + np.exp(-hidden))).astype(int)
    for name, noise in (("live", 1.5), ("new", 0.8)):
        score = 1 / (1 + np.exp(-(hidden + draw.normal(0, noise, ROWS))))
        frame[name] = score.round(decimals)
    return frame


def half_width(moved: np.ndarray, rows: float) -> float:
    """Return the half-width of the interval over days, by the formula of docs/statistics.md, step by step.

    `rows` is the half-width of independent rows, 0 where none is known.
    """
    m, total = len(moved), float((moved**2).sum())
    flat = m * (rows / norm.ppf(0.975)) ** 2
    share = min(max(1 - flat * (m - 1) / total, 0.0), 1.0)
    lag = (sum(moved[i] * moved[i + 1] for i in range(m - 1)) / total + 3 / m) / max(share, 0.1)
    rho = min(max(lag, 0.0), 0.85)

    def spectrum(frequency: float) -> float:
        return 1 - share + share * (1 - rho**2) / (1 - 2 * rho * np.cos(frequency) + rho**2)

    waves = max(round(0.4 * m ** (2 / 3)), 3)
    power = 0.0
    for j in range(1, waves + 1):
        wave = sum(moved[i] * np.cos(np.pi * j * (i + 0.5) / m) for i in range(m))
        power += 2 / m * wave**2 * spectrum(0.0) / spectrum(np.pi * j / m) / waves
    return rows if power < 1.1 * flat else max(rows, float(t.ppf(0.975, waves) * np.sqrt(power / m)))


def expected(frame: pd.DataFrame, measure: Measure, sign: int, rows: float = 0.0) -> tuple[float, float]:
    """Return the gain and the half-width over days, each day left out in turn."""

    def gain(rows: pd.DataFrame) -> float:
        return sign * (measure(rows, "new") - measure(rows, "live"))

    days = sorted(frame["day"].unique())
    without = np.array([gain(frame[frame["day"] != day]) for day in days])
    return gain(frame), half_width((len(days) - 1) * (without.mean() - without), rows)


def rows_half_width(frame: pd.DataFrame, metric: str) -> float:
    """Return the half-width of independent rows of a gain that is a mean of differences; 0 for the others."""
    truth = frame["truth"]
    terms = {
        "log_loss": lambda score: -np.log(np.where(truth == 1, score, 1 - score).clip(2.3e-16)),
        "brier": lambda score: (score - truth) ** 2,
        "accuracy": lambda score: (score > 0.4) == truth,
    }.get(metric)
    if terms is None:
        return 0.0
    difference = terms(frame["live"]).astype(float) - terms(frame["new"]).astype(float)
    return float(norm.ppf(0.975) * np.std(difference, ddof=1) / np.sqrt(len(frame)))


def found_in(gains: tuple[Gain, ...], metric: str) -> Gain:
    """Return the gain on one figure."""
    return next(one for one in gains if one.metric == metric)


def binary_gains(frame: pd.DataFrame) -> tuple[Gain, ...]:
    """Return what the product says of a binary frame."""
    silent = np.full(len(frame), -1)
    answers = [Answers(silent, frame[name].to_numpy()[None]) for name in ("live", "new")]
    pairs = pairs_of(BINARY, frame["day"].to_numpy(), frame["truth"].to_numpy(), *answers)
    return gains_of(pairs, BINARY, "2")


@pytest.mark.parametrize(
    ("metric", "sign", "measure"),
    [
        ("log_loss", -1, lambda rows, name: log_loss(rows["truth"], rows[name])),
        ("brier", -1, lambda rows, name: brier_score_loss(rows["truth"], rows[name])),
        ("auc", 1, lambda rows, name: roc_auc_score(rows["truth"], rows[name])),
        ("average_precision", 1, lambda rows, name: average_precision_score(rows["truth"], rows[name])),
        ("accuracy", 1, lambda rows, name: accuracy_score(rows["truth"], rows[name] > 0.4)),
        ("balanced_accuracy", 1, lambda rows, name: balanced_accuracy_score(rows["truth"], rows[name] > 0.4)),
    ],
)
def test_gains_of_two_classes(metric: str, sign: int, measure: Measure) -> None:
    """Value and interval, the wider of days and rows, agree to 1e-9 where every score has a bin of its own."""
    frame = binary_frame(decimals=3)
    found = found_in(binary_gains(frame), metric)
    value, half = expected(frame, measure, sign, rows_half_width(frame, metric))
    assert found.value == pytest.approx(value, abs=1e-9)
    assert (found.interval, found.rows, found.days) == ("days", ROWS, DAYS)
    assert found.high is not None
    assert found.low is not None
    assert (found.high - found.low) / 2 == pytest.approx(half, abs=1e-9)


def test_an_auc_of_many_distinct_scores_is_close() -> None:
    """With more distinct scores than bins the gain of the AUC is within 1e-5 of scikit-learn's."""
    frame = binary_frame(decimals=15)
    value, half = expected(frame, lambda rows, name: roc_auc_score(rows["truth"], rows[name]), 1)
    found = found_in(binary_gains(frame), "auc")
    assert found.value == pytest.approx(value, abs=1e-5)
    assert found.high == pytest.approx(value + half, abs=1e-4)


def test_gains_of_many_classes() -> None:
    """Log loss and macro F1 of three classes, the class taken from the greatest score."""
    draw = np.random.default_rng(3)
    frame = pd.DataFrame({"day": draw.integers(0, DAYS, ROWS), "truth": draw.integers(0, 3, ROWS)})
    scores = {}
    for name, weight in (("live", 0.8), ("new", 1.6)):
        raw = draw.normal(size=(ROWS, 3)) + weight * (frame["truth"].to_numpy()[:, None] == np.arange(3))
        scores[name] = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
        frame[name] = scores[name].argmax(axis=1)
    answers = [Answers(np.full(ROWS, -1), scores[name].T) for name in ("live", "new")]
    pairs = pairs_of(MANY, frame["day"].to_numpy(), frame["truth"].to_numpy(), *answers)
    gains = gains_of(pairs, MANY, "2")
    value, half = expected(frame, lambda rows, name: f1_score(rows["truth"], rows[name], average="macro"), 1)
    found = found_in(gains, "f1")
    assert (found.value, found.high) == pytest.approx((value, value + half), abs=1e-9)
    losses = [log_loss(frame["truth"], scores[name], labels=[0, 1, 2]) for name in ("live", "new")]
    assert found_in(gains, "log_loss").value == pytest.approx(losses[0] - losses[1], abs=1e-9)


def test_gains_of_numbers() -> None:
    """MAE and RMSE of two regressions."""
    draw = np.random.default_rng(5)
    frame = pd.DataFrame({"day": draw.integers(0, DAYS, ROWS), "truth": draw.normal(50, 9, ROWS)})
    for name, spread in (("live", 4.0), ("new", 3.0)):
        frame[name] = frame["truth"] + draw.normal(0.5, spread, ROWS)
    answers = [Answers(np.full(ROWS, -1), frame[name].to_numpy()[None]) for name in ("live", "new")]
    gains = gains_of(
        pairs_of(NUMBERS, frame["day"].to_numpy(), frame["truth"].to_numpy(), *answers), NUMBERS, "2"
    )
    for metric, measure in (("mae", mean_absolute_error), ("rmse", root_mean_squared_error)):
        misses = {name: (frame[name] - frame["truth"]).abs() for name in ("live", "new")}
        of_rows = np.std(misses["live"] - misses["new"], ddof=1) * norm.ppf(0.975) / np.sqrt(ROWS)
        known = float(of_rows) if metric == "mae" else 0.0
        value, half = expected(frame, lambda rows, name, of=measure: of(rows["truth"], rows[name]), -1, known)
        found = found_in(gains, metric)
        assert (found.value, found.high) == pytest.approx((value, value + half), abs=1e-9)


def test_only_rows_that_both_answered_count() -> None:
    """A missing score on either side, or a label that names no class, takes the row out of both."""
    frame = binary_frame(decimals=3)
    live, new, truth = (frame[name].to_numpy().copy() for name in ("live", "new", "truth"))
    live[:10], new[10:30], truth[30:60] = np.nan, np.nan, -1
    silent = np.full(ROWS, -1)
    pairs = pairs_of(
        BINARY, frame["day"].to_numpy(), truth, Answers(silent, live[None]), Answers(silent, new[None])
    )
    assert len(pairs) == ROWS - 60
    kept = binary_gains(frame.iloc[60:])
    assert gains_of(pairs, BINARY, "2") == kept


def test_too_few_rows_are_no_gain_and_few_days_are_independent_rows() -> None:
    """Under 200 pairs nothing is known; under 20 days the interval says iid, and ranking has none."""
    frame = binary_frame(decimals=3)
    assert binary_gains(frame.iloc[:199]) == ()
    gains = binary_gains(frame[frame["day"] < 19])
    assert found_in(gains, "log_loss").interval == "iid"
    assert (found_in(gains, "auc").low, found_in(gains, "auc").interval) == (None, "")
