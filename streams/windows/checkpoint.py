"""What a checkpoint writes of a shard, and in which order.

    1. the states of changed windows, and the results of windows to be published: acknowledged by the broker;
    2. the books (sequence marks, watermark, late days): acknowledged;
    3. the partition row: acknowledged;
    4. tombstones of windows gone cold;
    5. only then is the source acknowledged.

A crash between any two steps leaves a state from which folding the log again, from the partition row on, gives the
same sums: a book is never ahead of the states it speaks for, and a cold window's state outlives the word that it
is cold.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from driftline.streams.windows.book import NEVER, WIDTHS_MS
from driftline.streams.windows.held import partition_key, seal, unseal
from driftline.streams.windows.merges import due_merges
from driftline.streams.windows.new_widths import adopt_widths
from driftline.streams.windows.results import Due, pane_result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driftline.schemas.window import WindowResult
    from driftline.streams.windows.book import Book
    from driftline.streams.windows.held import PaneKey
    from driftline.streams.windows.shard import Shard


@dataclass(slots=True)
class Checkpoint:
    """What is to be written, step by step (see the module), and how far into the log it reaches.

    It speaks of the shard as it was planned: write it before anything more is folded.
    """

    position: int
    states: list[tuple[bytes, bytes]] = field(default_factory=list)
    due: list[Due] = field(default_factory=list)
    books: list[tuple[bytes, bytes]] = field(default_factory=list)
    partition_row: tuple[bytes, bytes] | None = None
    cold: list[PaneKey] = field(default_factory=list)
    tombstones: list[bytes] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.states or self.due or self.books or self.partition_row or self.tombstones)

    @property
    def size_bytes(self) -> int:
        """Memory that the new states take."""
        return sum(len(value) for _, value in self.states)

    @property
    def results(self) -> Iterator[WindowResult]:
        """The results to be published, each worked out when it is asked for."""
        return (due.make() for due in self.due)


def plan(shard: Shard, now_ms: int, clock_s: float, *, closing: bool = False) -> Checkpoint:
    """Say what a checkpoint of this shard writes now.

    The shard's working copies are marked as written: a plan that is not carried out whole obliges the caller to
    throw the shard away and load it again.

    Args:
        shard: one partition's work.
        now_ms: wall-clock time for `computed_at_ms`, ms.
        clock_s: the caller's monotonic clock, for `publish_seconds`.
        closing: publish all that is unpublished, whatever was published last when (the worker stops).
    """
    checkpoint = Checkpoint(shard.position)
    push_out(shard)
    for deployment in tuple(shard.changed):
        adopt_widths(shard, shard.book(deployment))
    for deployment in sorted(shard.changed | shard.pending):
        _plan_deployment(shard, checkpoint, shard.book(deployment), now_ms, clock_s, closing=closing)
    checkpoint.due += [Due(one.resolution, partial(replace, one)) for one in shard.recounted]
    for deployment in sorted(shard.changed):
        book = shard.book(deployment)
        book.note_cold(shard.rules)
        checkpoint.books.append((book.key, book.encode()))
    row = partition_key(shard.partition)
    held = shard.held.get(row)
    absorbed, writes = unseal(row, held)[:2] if held is not None else (-1, 0)
    if absorbed != shard.position:
        checkpoint.partition_row = (row, seal(shard.position, writes + 1, shard.source_id))
    checkpoint.tombstones += shard.leftovers
    return checkpoint


def _plan_deployment(
    shard: Shard, checkpoint: Checkpoint, book: Book, now_ms: int, clock_s: float, *, closing: bool
) -> None:
    closed_before = shard.closed_ms[book.deployment]
    touched: list[PaneKey] = []
    waiting = False
    for key in sorted(shard.index[book.deployment], key=lambda key: key.start_ms):
        end = key.start_ms + WIDTHS_MS[key.resolution]
        is_final = end <= book.watermark_ms
        closes = is_final and end > closed_before
        is_cold = shard.is_cold(key)
        pane = shard.panes.get(key)
        if book.gaps.held and book.gaps.silence(key.window):
            shard.unpublished.discard(key)
        elif closes or key in shard.unpublished:
            last = shard.published_at.get(key, float("-inf"))
            if closes or is_cold or closing or clock_s - last >= shard.rules.publish_seconds:
                make = partial(pane_result, shard, book, key, is_final=is_final, now_ms=now_ms)
                checkpoint.due.append(Due(key.resolution, make))
                touched.append(key)
                shard.unpublished.discard(key)
                shard.published_at[key] = clock_s
            else:
                waiting = True
        if is_cold and not shard.is_kept(key):
            checkpoint.cold.append(key)
            if key.encode() in shard.held:
                checkpoint.tombstones.append(key.encode())
        elif pane is not None and pane.changed:
            checkpoint.states.append((key.encode(), pane.encode()))
            pane.changed = False
    checkpoint.due += due_merges(shard, book, touched, now_ms, clock_s, closing=closing)
    waiting = waiting or any(merge[0] == book.deployment for merge in shard.merges_waiting)
    (shard.pending.add if waiting else shard.pending.discard)(book.deployment)


def commit(shard: Shard, checkpoint: Checkpoint) -> None:
    """Take what was acknowledged as the state from which the next checkpoint starts."""
    shard.held.update(checkpoint.states)
    shard.held.update(checkpoint.books)
    if checkpoint.partition_row is not None:
        shard.held.update([checkpoint.partition_row])
    for key in checkpoint.cold:
        shard.held.pop(key.encode(), None)
        shard.index[key.deployment].discard(key)
        shard.panes.pop(key, None)
        shard.unpublished.discard(key)
        shard.published_at.pop(key, None)
    for leftover in shard.leftovers:
        shard.held.pop(leftover, None)
    shard.leftovers.clear()
    shard.recounted.clear()
    for deployment in shard.changed:
        shard.closed_ms[deployment] = shard.book(deployment).watermark_ms
    shard.changed.clear()
    _forget_working_copies(shard, {key for key, _ in checkpoint.states})


def _forget_working_copies(shard: Shard, written: set[bytes]) -> None:
    """Keep decoded windows up to the cap, those used last.

    What was worked on since the last checkpoint stays past the cap, for it is what the next one works on. What waits
    to be published need not: it is decoded once more when its time comes. A cap below what live traffic comes back to
    would have every message decode its windows again, and soon force a checkpoint.
    """
    size = shard.fresh_bytes = 0
    for key, pane in sorted(shard.panes.items(), key=lambda item: -item[1].absorbed):
        size += pane.counters.size_bytes
        if size <= shard.rules.working_bytes or pane.changed:
            continue
        if key.encode() not in written:
            del shard.panes[key]


def push_out(shard: Shard) -> None:
    """Past the cap of stored bytes let the oldest windows go cold, until nine tenths of it are kept."""
    stored = sum(map(len, shard.held.values()))
    if stored <= shard.rules.held_bytes:
        return
    keys = sorted((key for keys in shard.index.values() for key in keys), key=lambda key: key.start_ms)
    for key in keys:
        if stored <= shard.rules.held_bytes * 9 // 10:
            break
        book = shard.book(key.deployment)
        floor = key.start_ms + WIDTHS_MS[key.resolution]
        book.floors_ms[key.resolution] = max(book.floors_ms.get(key.resolution, NEVER), floor)
        shard.unpublished.add(key)  # its result is published as it stands before the state goes
        shard.changed.add(key.deployment)
        stored -= len(shard.held.get(key.encode(), b""))
