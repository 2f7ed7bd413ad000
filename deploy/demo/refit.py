"""The candidate of the demo: the same model, trained again at the end of each quarter on all flights until then."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import parquet as pq
from threadpoolctl import threadpool_limits

from driftline.deploy.advice.collect import Wanted, collect
from driftline.deploy.advice.view import span
from driftline.deploy.demo.model import fit, matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from driftline.schemas.settings import Settings

REFIT_MONTHS = (4, 7, 10)
"""Months of 2013 from whose first day on a new fit answers; each has learned from all days before it."""


def refit_scores(flights: pa.Table) -> NDArray[np.float64]:
    """Score every flight by the newest refit before its quarter; NaN before April.

    Args:
        flights: as `load_flights` returns them.
    """
    features = matrix(flights)
    month = pc.month(flights["event_time"]).to_numpy()
    known = pc.is_valid(flights["target"]).to_numpy()
    late = pc.fill_null(flights["target"], fill_value=False).to_numpy()
    scores = np.full(flights.num_rows, np.nan)
    with threadpool_limits(1):
        for first, after in zip(REFIT_MONTHS, (*REFIT_MONTHS[1:], 13), strict=True):
            learn = (month < first) & known
            answers = (month >= first) & (month < after)
            scores[answers] = fit(features[learn], late[learn]).predict_proba(features[answers])[:, 1]
    return scores


def write_candidate(path: Path, ids: NDArray[np.uint8], scores: NDArray[np.float64]) -> None:
    """Write the table that `driftline advice --candidate` takes; flights without a score are left out.

    Args:
        path: a parquet file.
        ids: uint8 (n, 16), of the predictions.
        scores: float64 (n,).
    """
    answered = np.flatnonzero(~np.isnan(scores))
    texts = [str(uuid.UUID(bytes=ids[row].tobytes())) for row in answered.tolist()]
    pq.write_table(pa.table({"prediction_id": texts, "p_late": scores[answered]}), path)


def advice_by_month(settings: Settings, deployment: str, candidate: Path) -> dict[str, dict[str, Any]]:
    """Read the advice on each month: month -> `advice`, `reasons` (in short), `fell`, `gain`, `since`."""
    return {
        span(one.window_start_ms, one.resolution): {
            "advice": one.advice,
            "reasons": [reason.code for reason in one.reasons],
            "fell": None if one.fell is None else {"metric": one.fell.metric, "value": one.fell.value},
            "gain": None
            if one.gain is None
            else {name: getattr(one.gain, name) for name in ("metric", "value", "low", "high", "interval")},
            "since": span(one.since_ms, one.resolution),
        }
        for one in collect(settings, deployment, Wanted(candidate=candidate))
    }
