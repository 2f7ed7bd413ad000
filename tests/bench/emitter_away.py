"""An application whose broker is away: offers events as fast as it can, and prints what its memory grew by.

python emitter_away.py events|threads|wide|columns|calls SPOOL_DIR_OR_NOTHING BOOTSTRAP SECONDS
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.agents.emit import Emitter

ROWS: Final = 500
CALL_ROWS: Final = 100
# So many that the cap in bytes is the one that is met.
EVENTS: Final = 1_000_000
CAP_BYTES: Final = 64 << 20
SPOOL_BYTES: Final = 64 << 20
NUMERIC: Final = tuple(f"n{at:02}" for at in range(20))
CATEGORICAL: Final = tuple(f"c{at}" for at in range(5))
WIDE: Final = tuple(f"w{at:03}" for at in range(900))
THREADS: Final = 16
LEVELS: Final = tuple(f"level-{at}" for at in range(12))


def memory_bytes(field: str) -> int:
    """Ask the system about this process: VmRSS is resident now, VmHWM the most that ever was."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


def offer_events(emitter: Emitter, until: float) -> int:
    """Log single events, each a dict of its own with numbers that are objects of its own."""
    offered = 0
    while time.monotonic() < until:
        for at in range(100):
            features: dict[str, float | str] = {
                name: offered + at + place / 32 for place, name in enumerate(NUMERIC)
            }
            features |= {name: LEVELS[at % len(LEVELS)] for name in CATEGORICAL}
            emitter.log(features, 0.5, latency_ms=1.5)
        offered += 100
    return offered


def offer_wide(emitter: Emitter, until: float) -> int:
    """Log single events of 900 numbers."""
    offered = 0
    while time.monotonic() < until:
        emitter.log({name: offered + place / 32 for place, name in enumerate(WIDE)}, 0.5)
        offered += 1
    return offered


def by_threads(offer: Callable[[Emitter, float], int]) -> Callable[[Emitter, float], int]:
    """Give the same from many threads at once."""

    def offer_all(emitter: Emitter, until: float) -> int:
        offered: list[int] = []
        threads = [
            threading.Thread(target=lambda: offered.append(offer(emitter, until))) for _ in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(offered)

    return offer_all


def offer_columns(emitter: Emitter, until: float, rows: int = ROWS) -> int:
    """Log columns of some rows, made for each call."""
    draw, offered = np.random.default_rng(5), 0
    while time.monotonic() < until:
        columns: dict[str, Any] = {name: draw.random(rows) for name in NUMERIC}
        columns |= {name: [LEVELS[at % len(LEVELS)] for at in range(rows)] for name in CATEGORICAL}
        emitter.log_many(columns, draw.random(rows))
        offered += rows
    return offered


OFFERS: Final = {
    "events": offer_events,
    "threads": by_threads(offer_events),
    "wide": by_threads(offer_wide),
    "columns": offer_columns,
    "calls": by_threads(lambda emitter, until: offer_columns(emitter, until, CALL_ROWS)),
}


def main(load: str, spool: str, bootstrap: str, seconds: str) -> None:
    """Run the load; print bytes grown, the cap, and the books."""
    np.random.default_rng(5).random(ROWS)
    before = memory_bytes("VmRSS")
    from driftline.agents.emit import Emitter

    logging.disable()
    emitter = Emitter(
        "memory",
        "1",
        bootstrap=bootstrap,
        buffer_bytes=CAP_BYTES,
        buffer_events=EVENTS,
        spool_dir=spool or None,
        spool_bytes=SPOOL_BYTES,
    )
    offered = OFFERS[load](emitter, time.monotonic() + float(seconds))
    grown, books = memory_bytes("VmHWM") - before, emitter.stats()
    print(
        json.dumps(
            {"grown": grown, "cap": CAP_BYTES, "offered": offered, "dropped": sum(books.dropped.values())}
        )
    )
    emitter.close(0.5)


main(*sys.argv[1:])
