"""The candidate of the demo: the same model, trained again at the end of each quarter on all flights until then.

    python -m driftline.deploy.demo.refit YEAR SCORES

is the process that trains beside the rest: it reads the flights and writes a score of each.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import parquet as pq
from threadpoolctl import threadpool_limits

from driftline.deploy.advice.view import span
from driftline.deploy.demo.model import fit, matrix
from driftline.deploy.local.errors import StackError, tail_of
from driftline.deploy.local.spawn import spawn_guarded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from driftline.schemas.advice import Advice

NICE = 10
"""The stack comes first: refits have until the year is replayed to be trained in."""
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


class Refits:
    """Refits in a process of their own, which ends with this one.

    Args:
        year: a parquet file of the flights, as `load_flights` returns them; `landed` may be missing.
        scores: the file that is written.
        log: file for what the process says.
    """

    def __init__(self, year: Path, scores: Path, log: Path) -> None:
        command = [sys.executable, "-m", "driftline.deploy.demo.refit", str(year), str(scores)]
        self._scores, self._log = scores, log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._process = spawn_guarded(command, cwd=Path.cwd(), log=log)

    def scores(self, seconds: float) -> NDArray[np.float64]:
        """Wait until all are trained, and give the scores as `refit_scores` does.

        Raises:
            StackError: the process failed, or takes longer than `seconds`.
        """
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise StackError(f"the refits were not trained within {seconds:.0f} s") from None
        if code:
            raise StackError(f"the refits ended with exit code {code}: see {self._log}", tail_of(self._log))
        found: NDArray[np.float64] = np.load(self._scores)
        return found

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()


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


def advice_by_month(found: Sequence[Advice]) -> dict[str, dict[str, Any]]:
    """Lay out the advice on each final month for the summary.

    Returns:
        Month -> `advice`, `reasons` (in short), `why` (the first of them in a sentence), `fell`, `gain`, `since`.
    """
    return {
        span(one.window_start_ms, one.resolution): {
            "advice": one.advice,
            "reasons": [reason.code for reason in one.reasons],
            "why": one.reasons[0].sentence,
            "fell": None if one.fell is None else {"metric": one.fell.metric, "value": one.fell.value},
            "gain": None
            if one.gain is None
            else {name: getattr(one.gain, name) for name in ("metric", "value", "low", "high", "interval")},
            "since": span(one.since_ms, one.resolution),
        }
        for one in found
    }


if __name__ == "__main__":
    os.nice(NICE)
    np.save(Path(sys.argv[2]), refit_scores(pq.read_table(sys.argv[1])))
