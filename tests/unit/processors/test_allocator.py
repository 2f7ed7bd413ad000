"""What a worker does about its memory: it returns free blocks and the compiler's code, and works on."""

from __future__ import annotations

import subprocess
import sys

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
assert resident() < before
assert let_go_of_code("libnothing") == 0
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
    """LLVM's code and the holes of the heap go back to the system; the compiled kernel needs neither."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
