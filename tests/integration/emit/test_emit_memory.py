"""P9: an emitter whose broker is away takes its caps and 30 MB, whatever an application throws at it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from emit_rig import Script

SLACK_BYTES = 30 << 20

# Nothing here is told by a clock: a case ends some calls after its cap was reached, or fails after `most` calls.
LOAD = """
import json, os, random, threading
import numpy as np
from pathlib import Path

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024

names = [f"f{at}" for at in range(25)]
wide = [f"w{at}" for at in range(900)]
matrix = np.zeros((500, 25))
digits = random.Random(25).randbytes(1 << 20).hex()
most, more = 500_000, 10 if "threads" in load else 50

def text(turn, chars):  # no two alike: equal ones would be one level of their batch
    start = turn * 9_973 % (len(digits) - chars)
    return digits[start : start + chars]

from driftline.agents.emit import Emitter
before = memory("VmRSS")
emitter = Emitter("memory", "1", bootstrap="127.0.0.1:9", buffer_bytes=cap_bytes, buffer_events=1_000_000,
                  spool_dir=spool_dir, spool_bytes=1 << 22, stall_s=0.2)

def offer(turn):
    if load.startswith("names"):  # as many as count nothing by themselves, each as long as it may well be
        named = {f"{turn}_{place}_".ljust(160, "x"): 0.5 for place in range(16)}
        given = {"names of scores": {"score": named}, "names of segments": {"segments": named}}.get(load)
        emitter.log(*([named] if given is None else [{"a": 1.0}]), **(given or {}))
    elif load == "wide events of threads":
        emitter.log({name: turn + 0.5 * at for at, name in enumerate(wide)})
    elif load in ("events of threads", "numbers"):
        emitter.log({name: turn + 0.5 * at for at, name in enumerate(names)}, turn / 2)
    elif load == "calls of threads":
        emitter.log_many(matrix[:100] + turn, names=names)
    elif load == "columns":
        emitter.log_many(matrix + turn, names=names)
    elif load == "columns of texts":
        emitter.log_many({"text": [text(at, 8_000) for at in range(turn, turn + 500)], "n": matrix[:, 0]})
    elif load == "great texts":
        emitter.log({"text": text(turn, 100_000), "n": 1.0}, predicted=text(turn + 1, 50_000))
    elif load == "texts among numbers":  # in one column they are wrong, in the other levels
        given = (text(turn, 20_000), text(turn + 1, 20_000)) if turn % 2 else (0.5, None)
        emitter.log({**dict.fromkeys(names, 0.5), **dict(zip(("f3", "text"), given))})
    else:
        emitter.label(f"order-{turn}", f"{turn} " + text(turn, 500))

def offer_many(first):
    turn, last, flushed = first, first + most, False
    while turn < last:
        offer(turn)
        turn += 1
        if turn % 16 == 0 and last == first + most and emitter.stats().dropped.get(reason):
            last = turn + more
        if turn == last and not flushed:
            flushed, last = True, turn + more
            emitter.flush(0.25)  # all that waits is sealed

if "threads" in load:
    threads = [threading.Thread(target=offer_many, args=(number * most,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
else:
    offer_many(0)
stats = emitter.stats()
print(json.dumps({"grown": memory("VmHWM") - before, "dropped": stats.dropped, "balance": stats.total.balance}))
os._exit(0)
"""


LOADS = ["numbers", "columns", "great texts", "texts among numbers", "labels"]
NAMES = ["names of features", "names of scores", "names of segments"]
CALLS = ["columns of texts", "wide events of threads", "events of threads", "calls of threads"]


@pytest.mark.parametrize(
    ("load", "spools"),
    [
        *((load, spools) for load in LOADS for spools in (True, False)),
        *((load, False) for load in CALLS + NAMES),
    ],
    ids=lambda value: {True: "full spool", False: "no spool"}.get(value, value),
)
def test_memory_stays_within_the_caps(scripts: Script, tmp_path: Path, load: str, *, spools: bool) -> None:
    """With the broker away and the spool full, or none, resident memory grows by no more than the cap and 30 MB."""
    cap_bytes = 64 << 20 if load in NAMES else 16 << 20  # what is forgotten grows with the cap
    spool_dir, reason = (str(tmp_path / "spool"), "spool_full") if spools else (None, "buffer_full")
    process = scripts(LOAD, load=load, cap_bytes=cap_bytes, spool_dir=spool_dir, reason=reason)
    output, _ = process.communicate(timeout=110)
    found = json.loads(output)
    assert found["balance"] == 0
    assert found["dropped"].get(reason), "the load was too small to reach the cap"
    assert found["grown"] <= cap_bytes + SLACK_BYTES
