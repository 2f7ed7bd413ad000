"""The Spark job of deploy/examples on a real Spark: each row counts once though tasks fail and the job runs twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from emit_rig import wait_for
from other_languages import DAY_MS, EXAMPLES, ran
from programs import needed
from real_stack import TestStack
from rig import Crew, archived, dead_letters, published

from driftline.schemas.settings import Settings

REQUIREMENTS = EXAMPLES.parents[1] / "requirements" / "spark.txt"
CRASHES = Path(__file__).parents[2] / "support" / "spark_crashes.py"
FLOORS = Path(__file__).parents[2] / "typing"
ROWS = 8_000
YESTERDAY_MS = (time.time_ns() // 1_000_000 // DAY_MS - 1) * DAY_MS
RUN = "2026-01-02T00:00:00+00:00"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own with the locked requirements of the job."""
    folder = tmp_path_factory.mktemp("spark")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    made = folder / "bin" / "python"
    # -I: what PYTHONPATH has is not there when the job runs.
    words = ["-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    ran([str(made), *words, "-r", str(REQUIREMENTS)])
    return made


def table(file: Path) -> None:
    """Write customers with the times at which they were scored: on two days."""
    numbers = np.arange(ROWS)
    day = YESTERDAY_MS - DAY_MS * (numbers % 2)
    pq.write_table(
        pa.table(
            {
                "customer": [f"c-{number:05}" for number in numbers],
                "time": pa.array(day + numbers, pa.timestamp("ms", "UTC")),
                "age": 20.0 + numbers % 50,
                "income": 1_000.0 * (numbers % 90),
            }
        ),
        file,
    )


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_a_job_whose_tasks_fail_counts_each_row_once(
    stack: TestStack, lane: Settings, crew: Crew, python: Path, tmp_path: Path
) -> None:
    """Each task fails once with two parts delivered, and the job is run again: windows of both days are exact."""
    assert needed("java")
    for role in ("drift", "archive"):
        crew.start(role)
    table(tmp_path / "customers.parquet")
    env = {
        **os.environ,
        **stack.env_of(lane),
        "PYTHONPATH": f"{FLOORS}:{EXAMPLES / 'spark'}",
        "PYSPARK_PYTHON": str(python),
    }
    scored = tmp_path / "scored"
    for _ in range(2):
        words = [str(CRASHES), str(tmp_path / "customers.parquet"), str(scored)]
        ran([str(python), *words, "--run", RUN], env=env, cwd=tmp_path)
        assert pq.read_table(scored).num_rows == ROWS
    wanted = {YESTERDAY_MS: ROWS // 2, YESTERDAY_MS - DAY_MS: ROWS // 2}

    def counted() -> dict[int, int]:
        return {one[3]: rows for one, rows in published(lane).items() if one[2] == "1d"}

    wait_for(
        lambda: counted() == wanted and archived(lane) == {"credit": ROWS},
        f"not {wanted}\nbut {counted()}\n{archived(lane)}\n{crew.tails()}",
        120,
    )
    assert dead_letters(lane) == {}
