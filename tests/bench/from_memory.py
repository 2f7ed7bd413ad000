"""Decoding and counting from memory, for some seconds: how much of a second core the machine gives.

Prints a line when it is ready, begins at a line on its standard input, and prints events a second.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from loads import ROWS, batch, profile

from driftline.schemas.columns import pack_predictions, read_predictions
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.kernel import warm
from driftline.streams.windows.layout import Layout

START_MS = 1_750_032_000_000
MESSAGES = 50


def main(seconds: float) -> None:
    """Count the same messages again and again."""
    draw = np.random.default_rng(1)
    counters = Counters(Layout(profile(draw, "memory", end_ms=START_MS, days=20, resolutions=("1d",))))
    times_ms = START_MS + np.arange(ROWS, dtype=np.int64)
    messages = [pack_predictions(batch(draw, "memory", seq, times_ms)) for seq in range(MESSAGES)]
    warm()
    print("ready", flush=True)
    sys.stdin.readline()
    began, passes = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for message in messages:
            counters.fold(read_predictions(message))
        passes += 1
    print(passes * MESSAGES * ROWS / (time.perf_counter() - began), flush=True)


main(float(sys.argv[1]))
