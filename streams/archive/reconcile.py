"""Reconcile: what an emitter life says of its rows, held against what lies in the archive (promise P4). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

State: TypeAlias = Literal["alive", "silent", "closed", "ended"]
Verdict: TypeAlias = Literal["ok", "warn", "fail"]

ENDED_AFTER_MS: Final = 5 * 60_000
"""A life of which nothing was heard for so long has ended."""
SILENT_BEATS: Final = 3
"""Heartbeats that a live emitter may miss before it is called silent."""
AHEAD_MS: Final = 1_000
"""A clock ahead of the broker's by more is wrong: nothing arrives before it is sent."""
BEHIND_MS: Final = 60_000
"""A clock behind by more is wrong, or the heartbeat was long on its way."""


@dataclass(frozen=True, slots=True)
class Spool:
    """What the emitters that took over a life's spool say of it, in rows."""

    waiting: int = 0
    delivered: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Life:
    """One topic of one emitter life: its last heartbeat, and what is stored of it.

    Attributes:
        deployment, instance, epoch, topic: which.
        model_version, slot, host, pid: where it ran, and for what.
        enqueued: rows accepted from the application.
        delivered: rows acknowledged by the broker.
        spooled: rows on its disk.
        in_flight: rows in its memory.
        dropped: rows given up, by reason.
        cap_rows: greatest number of rows its memory holds; 0 when it did not say.
        heartbeat_at_ms: when the heartbeat was made, by the emitter's clock.
        arrived_ms: when it arrived, by the broker's.
        beat_ms: greatest time between two heartbeats.
        closed: whether it was the last one of an orderly close.
        stored_rows: rows of its batches in the archive.
        missing_batches: holes below the next sequence number.
        doubled_batches: batches that lie in the archive once more than they should.
        newer_ms: when the newest heartbeat of a later epoch of the instance arrived; None without one.
        spool: its spool in the hands of others; None when nobody has taken it over.
    """

    deployment: str
    instance: str
    epoch: int
    topic: str
    model_version: str
    slot: str
    host: str
    pid: int
    enqueued: int
    delivered: int
    spooled: int
    in_flight: int
    dropped: Mapping[str, int]
    cap_rows: int
    heartbeat_at_ms: int
    arrived_ms: int
    beat_ms: int
    closed: bool
    stored_rows: int
    missing_batches: int
    doubled_batches: int = 0
    newer_ms: int | None = None
    spool: Spool | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What has become of a life's rows.

    Attributes:
        state: alive; silent for some heartbeats; closed in order; ended without that.
        verdict: fail when rows are lost or counted twice, warn when some were given up or wait, else ok.
        sentences: why.
        enqueued: rows that it is known to have accepted: as it said last, and no fewer than were delivered or stored.
        delivered: rows acknowledged by the broker, whoever sent them.
        spooled: rows on disk, whoever sends them.
        dropped: rows given up, by reason, whoever gave them up.
        lost_in_crash: rows of the last heartbeat of a life that ended, neither delivered nor spooled nor given up.
        unarrived: rows that the broker acknowledged and the archive lacks.
        clock_skew_ms: the emitter's clock less the broker's, less the way of the heartbeat; positive: ahead.
        silent_ms: time since something was heard.
    """

    state: State
    verdict: Verdict
    sentences: tuple[str, ...]
    enqueued: int
    delivered: int
    spooled: int
    dropped: Mapping[str, int]
    lost_in_crash: int
    unarrived: int
    clock_skew_ms: int
    silent_ms: int


def reconcile(life: Life, now_ms: int, ended_after_ms: int = ENDED_AFTER_MS) -> Account:
    """Close the books of a life as far as they can be.

    Args:
        life: what is known of it.
        now_ms: wall-clock time, ms since 1970.
        ended_after_ms: silence after which a life counts as ended.
    """
    silent_ms = max(0, now_ms - life.arrived_ms)
    state = _state(life, silent_ms, ended_after_ms)
    spool = life.spool
    delivered = life.delivered + (spool.delivered if spool else 0)
    spooled = life.spooled if spool is None else spool.waiting
    dropped = dict(Counter(life.dropped) + Counter(spool.dropped if spool else {}))
    enqueued = max(life.enqueued, delivered, life.stored_rows)
    lost = 0
    if state == "ended":
        # What was stored since the last heartbeat has been delivered too.
        told = max(delivered, life.stored_rows) + spooled + sum(dropped.values())
        lost = max(0, min(life.enqueued - told, life.in_flight, life.cap_rows or life.in_flight))
    unarrived = max(0, delivered - life.stored_rows)
    skew_ms = life.heartbeat_at_ms - life.arrived_ms
    fails = _fails(life, lost, unarrived if silent_ms > ended_after_ms else 0)
    warns = _warns(life, state, spooled, dropped, skew_ms)
    if silent_ms <= ended_after_ms and unarrived:
        warns.append(f"{unarrived:,} delivered rows are not in the archive yet.")
    if state in {"silent", "ended"}:
        if enqueued > life.enqueued:
            warns.append(
                f"It last announced {life.enqueued:,} rows; {enqueued:,} have come, and how many more it took is not "
                "known."
            )
        warns.append(_silence(state, silent_ms, has_newer=life.newer_ms is not None))
    verdict: Verdict = "fail" if fails else "warn" if warns else "ok"
    sentences = (*fails, *warns) or (
        _fine(enqueued, min(life.in_flight, enqueued - max(delivered, life.stored_rows))),
    )
    return Account(
        state, verdict, sentences, enqueued, delivered, spooled, dropped, lost, unarrived, skew_ms, silent_ms
    )


def _state(life: Life, silent_ms: int, ended_after_ms: int) -> State:
    if life.closed:
        return "closed"
    allowed_ms = SILENT_BEATS * life.beat_ms
    # Two emitters of one process share the instance; a newer one ends only a life that has fallen silent beside it.
    replaced = life.newer_ms is not None and life.newer_ms - life.arrived_ms > allowed_ms
    if replaced or silent_ms > ended_after_ms:
        return "ended"
    return "silent" if silent_ms > allowed_ms else "alive"


def _fails(life: Life, lost: int, unarrived: int) -> list[str]:
    found = []
    if lost:
        bound = f" (at most {life.cap_rows:,}, its buffer)" if life.cap_rows else ""
        found.append(
            f"{lost:,} rows were lost in a crash{bound}: announced, and neither delivered nor spooled."
        )
    if unarrived:
        found.append(
            f"{unarrived:,} rows that Kafka acknowledged are not in the archive: see driftline dead-letter list."
        )
    if life.doubled_batches:
        found.append(f"{life.doubled_batches:,} batches are stored twice.")
    if life.enqueued != life.delivered + sum(life.dropped.values()) + life.spooled + life.in_flight:
        found.append(f"Its own account of {life.enqueued:,} rows does not add up.")
    return found


def _warns(life: Life, state: State, spooled: int, dropped: Mapping[str, int], skew_ms: int) -> list[str]:
    found = []
    if dropped:
        reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in sorted(dropped.items()))
        found.append(f"{sum(dropped.values()):,} rows were given up: {reasons}.")
    if spooled:
        gone = life.spool is None and state in {"closed", "ended"}
        who = (
            f"on the disk of {life.host}, until an emitter takes them over" if gone else "on disk, to be sent"
        )
        found.append(f"{spooled:,} rows wait {who}.")
    if skew_ms > AHEAD_MS:
        found.append(f"Its clock is {skew_ms:,} ms ahead of the broker's.")
    elif skew_ms < -BEHIND_MS:
        found.append(f"Its clock is up to {-skew_ms:,} ms behind the broker's, or its heartbeat came late.")
    return found


def _silence(state: State, silent_ms: int, *, has_newer: bool) -> str:
    heard = f"nothing was heard for {silent_ms // 1000:,} s"
    if state == "silent":
        return f"It is silent: {heard}."
    return f"It ended without closing: {'a newer life of it goes on' if has_newer else heard}."


def _fine(enqueued: int, on_their_way: int) -> str:
    waiting = f", {on_their_way:,} of them on their way" if on_their_way else ""
    return f"All {enqueued:,} rows are accounted for{waiting}."
