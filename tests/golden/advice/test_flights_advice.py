"""The flights of 2013: July is to be retrained, in April a refit does not help, and drift alone is no need.

The figures of a month are computed here, by scikit-learn and with the interval over days; the candidate of a month the
newest refit before its quarter, as in the demo.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from flown import flown, scored
from pyarrow import compute as pc
from sklearn.metrics import log_loss, roc_auc_score

from driftline.deploy.demo.refit import refit_scores
from driftline.schemas.advice import Advice, Gain
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.window import Figure
from driftline.streams.advice.evidence import Evidence
from driftline.streams.advice.gain import gains_of
from driftline.streams.advice.pairs import Answers, pairs_of
from driftline.streams.advice.rules import advise
from driftline.streams.join.scheme import Scheme
from driftline.streams.stats.intervals import over_days
from driftline.streams.stats.losses import log_loss_terms, mean_of
from driftline.streams.stats.ranking import auc_of

DAY_MS = 86_400_000
SCHEME = Scheme("p", "binary", ("false", "true"), ("p_late",))
SETTINGS = DeploymentSettings(
    deployment="flights", feature_importance={"hour": 0.5, "dest": 0.3, "humid": 0.18, "visib": 0.02}
)


class Year(NamedTuple):
    """The flights that landed: month, day, whether late, and the scores of the live model and of its refits."""

    month: np.ndarray
    day: np.ndarray
    late: np.ndarray
    live: np.ndarray
    refit: np.ndarray


@pytest.fixture(scope="module")
def year() -> Year:
    """Train the demo's model and score the year, the reference out of fold."""
    flights = flown()
    live = scored().year["p_late"].to_numpy()
    known = pc.and_(pc.is_valid(flights["target"]), pc.is_valid(flights["landed"])).to_numpy()
    times = pc.cast(flights["event_time"], pa.int64()).to_numpy()
    late = pc.fill_null(flights["target"], fill_value=False).to_numpy().astype(np.int64)
    month = times.astype("datetime64[ms]").astype("datetime64[M]").astype(int) % 12 + 1
    return Year(*(one[known] for one in (month, times // DAY_MS, late, live, refit_scores(flights))))


def figures(year: Year, rows: np.ndarray) -> dict[str, Figure]:
    """Return AUC and log loss of some flights with their intervals over days."""
    late, live = year.late[rows], year.live[rows]
    _, day = np.unique(year.day[rows], return_inverse=True)
    days = int(day.max()) + 1
    loss = np.bincount(day, weights=log_loss_terms(live, late))
    edges = np.unique(np.quantile(live, np.arange(1, 500) / 500))
    cell = (day * 2 + late) * (len(edges) + 1) + np.searchsorted(edges, live)
    counts = np.bincount(cell, minlength=days * 2 * (len(edges) + 1)).reshape(days, 2, -1)
    found = {}
    for metric, value, interval in (
        ("auc", roc_auc_score(late, live), over_days(lambda p, n: auc_of(p, n).value, [counts[:, 1], counts[:, 0]])),
        ("log_loss", log_loss(late, live), over_days(mean_of, [np.bincount(day), loss])),
    ):  # fmt: skip
        assert interval is not None
        found[metric] = Figure(
            "performance", "", metric, value, rows=len(late), low=interval.low, high=interval.high, interval="days"
        )  # fmt: skip
    return found


def month_of(year: Year, number: int) -> Evidence:
    """Return a month's evidence; a figure is judged ok unless its interval leaves the reference out."""
    rows = year.month == number
    reference, found = figures(year, year.month < 3), figures(year, rows)
    for metric, one in found.items():
        one.block = reference[metric].value
        assert one.low is not None
        assert one.high is not None
        assert one.block is not None
        beyond = one.high < one.block if metric == "auc" else one.low > one.block
        one.verdict = "fail" if beyond else "ok"
    drift = Figure("drift", "visib", "psi", 0.4, 0.01, 0.1, 0.2, "fail", rows=int(rows.sum()), level=0.01)
    start, end = (int(year.day[rows].min()) * DAY_MS, (int(year.day[rows].max()) + 1) * DAY_MS)
    return Evidence(
        "flights", "1", "champion", "1M", start, end, (*found.values(), drift), int(rows.sum()), 0.99
    )


def refit_gains(year: Year, number: int) -> tuple[Gain, ...]:
    """Return what the refit gains in a month."""
    rows = year.month == number
    silent = np.full(int(rows.sum()), -1)
    answers = (Answers(silent, one[None, rows]) for one in (year.live, year.refit))
    return gains_of(pairs_of(SCHEME, year.day[rows], year.late[rows], *answers), SCHEME, "refit")


def advice_of(year: Year, number: int, gains: tuple[Gain, ...] = ()) -> Advice:
    """Return the advice on one month."""
    window = month_of(year, number)
    (found,) = advise([window], SETTINGS, {window.start_ms: gains})
    return found


def test_july_is_retrain_with_a_gain_above_zero(year: Year) -> None:
    """Log loss is up by more than a tenth, and the refit of June is better on July's flights beyond its interval."""
    gains = refit_gains(year, 7)
    found = advice_of(year, 7, gains)
    assert found.advice == "retrain"
    assert found.fell is not None
    assert found.fell.metric == "log_loss"
    assert found.fell.value > 0.1
    assert found.gain is not None
    assert found.gain.low is not None
    assert found.gain.low > 0
    assert (found.gain.interval, found.gain.days) == ("days", 31)
    # Without the comparison a hard month and a worse model look the same.
    assert advice_of(year, 7).advice == "watch"


def test_april_is_watch_because_a_refit_does_not_help(year: Year) -> None:
    """April is as far down as July; the refit of March is no better there, and the advice says so."""
    found = advice_of(year, 4, refit_gains(year, 4))
    assert (found.advice, found.reasons[0].code) == ("watch", "a refit does not help")
    assert found.fell is not None
    assert found.fell.value > 0.1


def test_march_is_no_need_though_an_input_drifts(year: Year) -> None:
    """Performance holds, an unimportant input drifts: no need, and the input is named."""
    found = advice_of(year, 3)
    assert found.advice == "no need"
    assert [reason.code for reason in found.reasons] == ["performance holds", "unimportant inputs drifted"]
