"""Losses: what emitters say they had to give up, and what the last words of those that died leave open."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from driftline.schemas import codec
from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.schemas.alert import Severity

COUNTS_MS: Final = 3_600_000
"""A loss counts for an hour."""
DEAD_HEARTBEATS: Final = 6
LEAST_DEAD_MS: Final = 60_000
"""An emitter that has been silent for six heartbeats, and a minute, and did not close, has died."""
LIVES: Final = 100_000
"""Lives of emitters remembered; past it the one silent for longest is forgotten."""
PARTS: Final = 200
"""Losses of one deployment held at once; past it the oldest two become one."""
CALLER: Final = "invalid"
"""Rows that the application itself sent wrong: given up, but by no fault of the road."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a deployment has lost lately: `since_ms` is the broker's time of the first of it."""

    severity: Severity
    rows: int
    since_ms: int
    sentence: str


@dataclass(slots=True)
class _Life:
    deployment: str
    heard_ms: int
    heartbeat_ms: int
    in_flight: int
    dropped: Counter[str] = field(default_factory=Counter)


Part = tuple[int, str, int]
"""When, why, how many rows."""


class LossBook:
    """The last word of every emitter. One thread takes in records of `emitter-status`, another looks up.

    Args:
        on_lost: is told each loss once: why, rows, and the broker's time of it, ms since 1970.
    """

    def __init__(self, on_lost: Callable[[str, int, int], None] = lambda *_: None) -> None:
        self._on_lost = on_lost
        self._lives: dict[tuple[str, int], _Life] = {}
        self._lost: dict[str, list[Part]] = {}
        self._changing = threading.Lock()

    def on_record(self, _key: bytes | None, value: bytes | None, record_time_ms: int) -> None:
        """Take in a heartbeat; bytes that are none are the archive's to report."""
        if value is None:
            return
        try:
            status = codec.decode_as("EmitterStatus", value)
        except Refused:
            return
        with self._changing:
            self._take(status, record_time_ms)

    def look(self, now_ms: int) -> dict[str, Loss]:
        """Give what each deployment has lost within the hour before `now_ms`, ms since 1970."""
        with self._changing:
            self._bury(now_ms)
            found = {}
            for deployment, parts in tuple(self._lost.items()):
                recent = [part for part in parts if part[0] >= now_ms - COUNTS_MS]
                if recent:
                    self._lost[deployment] = recent
                    found[deployment] = _loss(recent)
                else:
                    del self._lost[deployment]
            return found

    def _take(self, status: dict[str, Any], time_ms: int) -> None:
        name = (status["instance"], status["epoch"])
        dropped: Counter[str] = Counter()
        for part in (*status["books"], *status["adopted"]):
            dropped.update(part["dropped"])
        held = self._lives.pop(name, None)
        for reason, rows in dropped.items():
            grown = rows - (0 if held is None else held.dropped[reason])
            if grown > 0:
                self._lose(status["deployment"], (time_ms, reason, grown))
        if status["closed"]:
            return
        if len(self._lives) >= LIVES:
            del self._lives[next(iter(self._lives))]
        in_flight = sum(book["in_flight"] for book in status["books"])
        # At the end of the dictionary: the one silent for longest comes first.
        self._lives[name] = _Life(status["deployment"], time_ms, status["heartbeat_ms"], in_flight, dropped)

    def _bury(self, now_ms: int) -> None:
        for life in self._lives.values():
            if now_ms - life.heard_ms <= max(DEAD_HEARTBEATS * life.heartbeat_ms, LEAST_DEAD_MS):
                continue
            if life.in_flight:
                self._lose(life.deployment, (life.heard_ms, "crash", life.in_flight))
            # It stays known, so that its next heartbeat, should it have slept, counts nothing twice.
            life.in_flight = 0

    def _lose(self, deployment: str, part: Part) -> None:
        parts = self._lost.setdefault(deployment, [])
        parts.append(part)
        time_ms, reason, rows = part
        self._on_lost(reason, rows, time_ms)
        if len(parts) > PARTS:
            (_, why, before), (since_ms, _, more) = parts[:2]
            parts[:2] = [(since_ms, why, before + more)]


def _loss(parts: list[Part]) -> Loss:
    by_reason: Counter[str] = Counter()
    for _, reason, rows in parts:
        by_reason[reason] += rows
    crash = by_reason.pop("crash", 0)
    said = [f"{rows} rows were dropped ({reason})" for reason, rows in sorted(by_reason.items())]
    if crash:
        said.append(f"up to {crash} rows were in the memory of emitters that died")
    is_ours = bool(set(by_reason) - {CALLER})
    return Loss(
        "fail" if is_ours else "warn",
        sum(by_reason.values()) + crash,
        min(time_ms for time_ms, _, _ in parts),
        f"Within an hour {' and '.join(said)}.",
    )
