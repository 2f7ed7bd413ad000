"""The rows of the kernel benchmark as data frames, for peers in environments of their own; needs no driftline."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

NUMERIC = [f"n{at:02}" for at in range(20)]
CATEGORICAL = [f"c{at}" for at in range(5)]


def frame(name: str) -> pd.DataFrame:
    """Read `reference` or `current` from the folder given on the command line."""
    data = np.load(Path(sys.argv[1]) / f"{name}.npz")
    columns: dict[str, object] = dict(zip(NUMERIC, data["numbers"], strict=True))
    levels = np.array([f"level-{at}" for at in range(int(data["codes"].max()) + 1)], object)
    columns |= {column: levels[codes] for column, codes in zip(CATEGORICAL, data["codes"], strict=True)}
    return pd.DataFrame(columns)


def measure(rows: int, work: Callable[[], object]) -> None:
    """Run the work once on a warm process and print rows a CPU second, as JSON on the last line."""
    began = time.process_time()
    work()
    print(json.dumps({"rows_per_s": rows / (time.process_time() - began)}))
