"""The process that trains the refits: what goes wrong in it is said in a sentence, and it never outlives its owner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet as pq

from driftline.deploy.demo.refit import Refits, write_candidate
from driftline.deploy.local.errors import StackError


def test_a_process_that_fails_is_said_with_its_log(tmp_path: Path) -> None:
    """Without the flights there are no scores: the error names the log, and holds its end."""
    refits = Refits(tmp_path / "none.parquet", tmp_path / "scores.npy", tmp_path / "refit.log")
    with pytest.raises(StackError, match=r"refits ended with exit code 1: see .*refit\.log") as caught:
        refits.scores(60)
    assert "none.parquet" in caught.value.tail
    refits.close()


def test_a_process_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """The bound is kept, and `close` leaves nothing running."""
    refits = Refits(tmp_path / "none.parquet", tmp_path / "scores.npy", tmp_path / "refit.log")
    with pytest.raises(StackError, match="not trained within 0 s"):
        refits.scores(0)
    refits.close()
    with pytest.raises(StackError, match="exit code -9"):
        refits.scores(0)


def test_the_table_has_the_flights_that_a_refit_answered(tmp_path: Path) -> None:
    """Flights without a score are left out; the others have their id as a text."""
    ids = np.arange(32, dtype=np.uint8).reshape(2, 16)
    write_candidate(tmp_path / "refit.parquet", ids, np.array([np.nan, 0.25]))
    assert pq.read_table(tmp_path / "refit.parquet").to_pylist() == [
        {"prediction_id": "10111213-1415-1617-1819-1a1b1c1d1e1f", "p_late": 0.25}
    ]
