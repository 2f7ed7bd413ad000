"""P9: an emitter whose broker is away takes its caps and 30 MB, whatever an application throws at it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from emit_rig import Script

SLACK_BYTES = 30 << 20

LOAD = """
import json, os, sys, threading, time
import numpy as np
from pathlib import Path

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024

names = [f"f{at}" for at in range(25)]
matrix = np.zeros((500, 25))
from driftline.agents.emit import Emitter
before = memory("VmRSS")
emitter = Emitter("memory", "1", bootstrap="127.0.0.1:9", buffer_bytes=cap_bytes, buffer_events=1_000_000,
                  spool_dir=spool_dir, spool_bytes=1 << 24, stall_s=0.2)
ends = time.monotonic() + seconds
wide = [f"w{at}" for at in range(900)]

def goes_on():
    now = time.monotonic()
    return now < ends or (now < ends + 30 and not emitter.stats().dropped)

def many(number):
    turn = 0
    while goes_on():
        turn += 1
        if load == "wide events of threads":
            emitter.log({name: turn + 0.5 * at for at, name in enumerate(wide)})
        elif load == "events of threads":
            emitter.log({name: turn + 0.5 * at for at, name in enumerate(names)}, turn / 2)
        else:
            emitter.log_many(matrix[:100] + turn, names=names)

if "threads" in load:
    threads = [threading.Thread(target=many, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
turn = 0
while "threads" not in load and goes_on():
    turn += 1
    if load == "numbers":
        emitter.log({name: turn + 0.5 * at for at, name in enumerate(names)}, turn / 2)
    elif load == "columns":
        emitter.log_many(matrix + turn, names=names)
    elif load == "great texts":
        emitter.log({"text": "x" * 100_000, "n": 1.0}, predicted="y" * 50_000)
    elif load == "texts among numbers":
        emitter.log({name: 0.5 for name in names} if turn % 2 else {**dict.fromkeys(names, 0.5), "f3": "z" * 20_000})
    else:
        emitter.label(f"order-{turn}", f"{turn} " + "k" * 500)
stats = emitter.stats()
print(json.dumps({"grown": memory("VmHWM") - before, "dropped": stats.dropped, "balance": stats.total.balance}))
os._exit(0)
"""


LOADS = ["numbers", "columns", "great texts", "texts among numbers", "labels"]
THREADS = ["wide events of threads", "events of threads", "calls of threads"]


@pytest.mark.parametrize(
    ("load", "spools"),
    [*((load, spools) for load in LOADS for spools in (True, False)), *((load, False) for load in THREADS)],
    ids=lambda value: {True: "full spool", False: "no spool"}.get(value, value),
)
def test_memory_stays_within_the_caps(script: Script, tmp_path: Path, load: str, *, spools: bool) -> None:
    """With the broker away and the spool full, or none, resident memory grows by no more than the cap and 30 MB."""
    cap_bytes = 16 << 20
    spool_dir = str(tmp_path / "spool") if spools else None
    process = script(LOAD, load=load, cap_bytes=cap_bytes, spool_dir=spool_dir, seconds=4.0)
    output, _ = process.communicate(timeout=60)
    found = json.loads(output)
    assert found["balance"] == 0
    assert found["dropped"], "the load was too small to reach a cap"
    assert found["grown"] <= cap_bytes + SLACK_BYTES
