"""Bounds: what answering may take of time, threads and memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ON_LOOP_BYTES: Final = 64 * 1024
"""Requests and answers up to here are read, answered and written by the event loop, larger ones by a thread."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What answering may take.

    Attributes:
        request_s: longest time of a model call with its wait for a thread, s.
        canary_s: the same of a canary, after which the champion is asked, s.
        threads: that call the champion of a deployment; its canary and its shadows have as many of their own.
        rows: of a request; one of more is refused before a version is asked.
        waiting: requests of a deployment that may wait for one of those threads.
        shadow_waiting: calls of a deployment that may wait for a shadow, for `request_s` at most.
        shadow_bytes: of the requests whose shadows wait.
        canary_failures: after so many, one after another, the canary is asked no more.
        inline_s: a champion whose calls take at most so long is asked by the event loop itself, s; 0: none is.
        future_ms: how far ahead of now the event time of a request may lie.
    """

    request_s: float = 10.0
    canary_s: float = 2.0
    threads: int = 4
    rows: int = 100_000
    waiting: int = 256
    shadow_waiting: int = 256
    shadow_bytes: int = 64 << 20
    canary_failures: int = 5
    inline_s: float = 0.0005
    future_ms: int = 600_000
