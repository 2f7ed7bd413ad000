"""What goes on, for a person who waits: a line on stderr from the second on, taken away when it is over."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final

QUIET_S: Final = 1.0
"""What is over sooner is not told."""
EVERY_S: Final = 0.25
CLEAR: Final = "\r\x1b[K"


@contextlib.contextmanager
def telling(what: str) -> Iterator[None]:
    """Say on stderr, while the block runs, what is done and for how long; off a terminal nothing is said.

    The block prints nothing itself, or its lines would meet this one.
    """
    if not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    teller = threading.Thread(target=_tell, args=(what, over), daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _tell(what: str, over: threading.Event) -> None:
    began = time.monotonic()
    if over.wait(QUIET_S):
        return
    while True:
        sys.stderr.write(f"{CLEAR}{what} ({time.monotonic() - began:.0f} s)")
        sys.stderr.flush()
        if over.wait(EVERY_S):
            sys.stderr.write(CLEAR)
            sys.stderr.flush()
            return
