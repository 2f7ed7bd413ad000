"""The demo's stream: what is read of it, in which order, and what drifts in it by arithmetic of its own."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from flown import flown, scored
from pyarrow import compute as pc

from driftline.deploy.demo.flights import LEVELS, NUMBERS, load_flights
from driftline.deploy.demo.model import TRAINED_UNTIL_MS

DAY_MS = 86_400_000
FAILS = {"temp": set(range(4, 11))}


@pytest.fixture(scope="module")
def flights() -> pa.Table:
    """Read the year once."""
    return flown()


def times(table: pa.Table) -> np.ndarray:
    """Give event times in ms since 1970."""
    return pc.cast(table["event_time"], pa.int64()).to_numpy()


def test_every_departed_flight_is_there_in_order_of_departure(flights: pa.Table) -> None:
    """328,521 flights departed, and the join with the weather neither loses nor doubles one."""
    assert flights.num_rows == 328_521
    assert (np.diff(times(flights)) >= 0).all()
    assert pc.sum(pc.is_null(flights["target"])).as_py() == 1_175


def test_the_first_departure_is_at_its_hour_in_utc(flights: pa.Table) -> None:
    """Flight UA1545 left at 05:17 in New York on 1 January, which is 10:17 UTC."""
    first = flights.slice(0, 1).to_pylist()[0]
    assert first["event_time"].isoformat() == "2013-01-01T10:17:00+00:00"
    assert (first["carrier"], first["origin"], first["dest"]) == ("UA", "EWR", "IAH")


def test_two_loads_are_the_same(flights: pa.Table) -> None:
    """Loading again gives the same rows in the same order, so a run can be repeated."""
    assert load_flights().equals(flights)


def test_drift_by_month_by_hand(flights: pa.Table) -> None:
    """With the block null by hand `temp` fails from April to October, not in winter; `carrier` never."""
    day = times(flights) // DAY_MS
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(int) - 12 * 43 + 1
    reference = (times(flights) < TRAINED_UNTIL_MS) & pc.is_valid(flights["target"]).to_numpy()
    for name in ("temp", "carrier", "dest", "distance"):
        bins = _bins(flights, name, reference)
        counts = np.zeros((59, bins.max() + 1))
        rows = reference & (bins >= 0)
        np.add.at(counts, (day[rows] - day[0], bins[rows]), 1)
        blocks = np.array([counts[start : start + 5].sum(0) for start in range(55)])
        drawn = blocks[np.random.default_rng(0).integers(0, 55, (1_000, 6))].sum(1)
        own = np.quantile(_psi(drawn, counts.sum(0)), 1 - 0.01 / 13)
        found = {
            number: _psi(
                np.bincount(bins[(month == number) & (bins >= 0)], minlength=counts.shape[1]), counts.sum(0)
            )
            for number in range(1, 13)
        }
        fails = {number for number, psi in found.items() if psi > max(own, 0.25)}
        warns = {number for number, psi in found.items() if psi > max(own, 0.1)}
        assert fails >= FAILS.get(name, set()), name
        if name == "temp":
            assert not warns & {1, 2, 12}
        if name == "carrier":
            assert not fails


def _bins(flights: pa.Table, name: str, reference: np.ndarray) -> np.ndarray:
    """Give deciles of the reference for numbers, codes for levels; -1 for null."""
    if name not in NUMBERS:
        return pc.index_in(flights[name], value_set=pc.unique(flights[name])).to_numpy()
    values = pc.fill_null(flights[name], float("nan")).to_numpy()
    edges = np.unique(np.nanquantile(values[reference], np.arange(1, 10) / 10))
    return np.where(np.isnan(values), -1, np.searchsorted(edges, values, "left"))


def _psi(current: np.ndarray, reference: np.ndarray) -> np.ndarray:
    p = np.maximum(current / current.sum(-1, keepdims=True), 1e-4)
    q = np.maximum(reference / reference.sum(), 1e-4)
    return ((p - q) * np.log(p / q)).sum(-1)


def test_the_model_is_judged_on_days_it_has_not_seen(flights: pa.Table) -> None:
    """In sample the model looks far better than out of fold, and the latter is the reference."""
    model = scored()
    assert 0.62 < model.auc_out_of_fold < 0.72
    assert model.auc_in_sample > model.auc_out_of_fold + 0.08
    assert model.year.num_rows == flights.num_rows
    assert model.reference.num_rows == 49_854
    scores = model.year["p_late"].to_numpy()
    assert ((scores > 0) & (scores < 1)).all()
    assert set(NUMBERS) | set(LEVELS) | {"event_time", "target", "landed", "p_late"} == set(
        model.year.column_names
    )
    weights = model.importance
    assert list(weights) == [*NUMBERS, *LEVELS]
    assert set(sorted(weights, key=lambda name: -weights[name])[:3]) == {"carrier", "hour", "dest"}
    assert 0 <= min(weights.values()) < 0.001 < weights["temp"]
