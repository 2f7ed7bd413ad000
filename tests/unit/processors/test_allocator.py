"""What a worker does about its memory: it loads what it needs, returns free blocks and the compiler's code."""

from __future__ import annotations

import subprocess
import sys

LOADED = """
import sys
import driftline.streams.processors.accuracy
import driftline.streams.processors.alerts
import driftline.streams.processors.drift
assert not {"clickhouse_connect", "pandas", "pyarrow"} & set(sys.modules)
"""
SCRIPT = """
import numpy as np
from driftline.streams.processors.allocator import give_back, keep_large_blocks, let_go_of_code
from driftline.streams.windows.kernel import LATENCY_BINS, compiled

def resident():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024

assert keep_large_blocks()
kernel = compiled()
before = resident()
assert let_go_of_code("libllvmlite") > 0
assert before - resident() > 60_000_000
assert let_go_of_code("libnothing") == 0
before = resident()
assert let_go_of_code() > 0
assert resident() < before
sketch = np.zeros(LATENCY_BINS, np.int64)
kernel.latency(np.zeros(10, np.int32), sketch)
assert sketch.sum() == 10
rows = [bytes(20_000) for _ in range(5_000)]
kept = rows[::50]
del rows
before = resident()
assert give_back()
assert before - resident() > 50_000_000
"""


def test_what_is_let_go_leaves_memory_and_the_kernel_still_counts() -> None:
    """Code that a start needs and the holes of the heap go back to the system; the compiled kernel needs neither."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_workers_load_the_client_of_clickhouse_with_the_first_late_facts() -> None:
    """Neither it nor Arrow is loaded by the workers of drift, accuracy and alerts before they need them: 31 MB."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
