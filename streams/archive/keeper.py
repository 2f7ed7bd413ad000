"""Keeper: the threads that store blocks, and try again until each is stored or taken away."""

from __future__ import annotations

import logging
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.streams.archive import steps
from driftline.streams.archive.errors import FencedError, GoneError, KafkaAwayError
from driftline.streams.clickhouse.errors import ClickHouseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.streams.archive.block import Block
    from driftline.streams.archive.post import Post
    from driftline.streams.archive.steps import Outcome
    from driftline.streams.archive.tenure import Commits, Tenure
    from driftline.streams.archive.warehouse import Warehouse

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0


Queue = queue.SimpleQueue["tuple[Tenure, Block] | None"]


@dataclass(frozen=True, slots=True)
class Done:
    """A block that is stored: what became of it (None when it lay there already) and how long it took."""

    tenure: Tenure
    block: Block
    outcome: Outcome | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Hand:
    """The edges of one of the keeper's threads, which shares them with no other."""

    post: Post
    warehouse: Warehouse


class Keeper:
    """Stores blocks: those of one partition in the order in which they are given, those of others beside them.

    `held_bytes` is what waits here, as it travelled: the worker stops reading at a cap, and goes on when `room` says.
    """

    def __init__(self, commits: Commits, hands: Sequence[Hand], on_done: Callable[[Done], None]) -> None:
        """Take one thread's edges for each hand; `on_done` is called in their threads. Nothing runs before `start`."""
        self._commits, self._hands, self._on_done = commits, hands, on_done
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._queues: list[Queue] = [queue.SimpleQueue() for _ in hands]
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name="archive-keeper", daemon=True)
            for number in range(len(hands))
        ]
        # One place a hand: that one succeeds must not hide that another is stuck.
        self._away_since_s: list[float | None] = [None] * len(hands)
        self.held_bytes = 0
        self.held_blocks = 0
        self.failure: BaseException | None = None
        """What ended a thread, if anything did: the worker must not go on without it."""

    @property
    def away_since_s(self) -> float | None:
        """Since when (monotonic) a hand tries in vain to store its block, the longest of them; None while none does."""
        return min((since_s for since_s in self._away_since_s if since_s is not None), default=None)

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def give(self, tenure: Tenure, block: Block) -> None:
        """Queue a block, for the hand that has its partition."""
        with self._changed:
            self.held_bytes += block.size_bytes
            self.held_blocks += 1
            tenure.waiting += 1
        self._queues[tenure.place.partition % len(self._queues)].put((tenure, block))

    def room(self, cap_bytes: int, seconds: float) -> bool:
        """Wait until less than `cap_bytes` are held, at most `seconds`; say whether it is so."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self.held_bytes < cap_bytes or self.failure is not None, seconds
            )

    def drain(self, seconds: float) -> bool:
        """Wait until every block given is stored or dropped, at most `seconds`; say whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self.held_blocks == 0 or self.failure is not None, seconds)

    def stop(self, seconds: float) -> None:
        """Drop what waits, let the inserts in hand end within `seconds`, and end the threads."""
        self._stopping.set()
        deadline_s = time.monotonic() + seconds
        for blocks in self._queues:
            blocks.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))

    def _run(self, number: int) -> None:
        blocks = self._queues[number]
        try:
            while (item := blocks.get()) is not None:
                tenure, block = item
                try:
                    self._keep(number, tenure, block)
                finally:
                    self._away_since_s[number] = None
                    with self._changed:
                        tenure.waiting -= 1
                        self.held_bytes -= block.size_bytes
                        self.held_blocks -= 1
                        self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - the worker ends on it: without this thread it would only read
            self.failure = error
            with self._changed:
                self._changed.notify_all()

    def _keep(self, number: int, tenure: Tenure, block: Block) -> None:
        """Try until the block is stored, taken away, or the worker stops."""
        pause = FIRST_PAUSE_SECONDS
        while tenure.alive and not self._stopping.is_set():
            began = time.monotonic()
            try:
                outcome = self._store(self._hands[number], tenure, block)
            except GoneError:
                return
            except (FencedError, KafkaAwayError, ClickHouseError) as error:
                if self._away_since_s[number] is None:
                    self._away_since_s[number] = began
                logger.warning("%s offsets %d to %d wait: %s", block.place, block.first, block.last, error)
                self._stopping.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                continue
            self._on_done(Done(tenure, block, outcome, time.monotonic() - began))
            return

    def _store(self, hand: Hand, tenure: Tenure, block: Block) -> Outcome | None:
        if tenure.stored is None:
            tenure.stored = hand.warehouse.stored(tenure.place)
        plans = self._commits.of(tenure)
        outcome = steps.store(block, tenure.stored, plans, hand.post, hand.warehouse)
        tenure.stored = max(tenure.stored, block.last)
        tenure.position = block.last + 1
        if block.entries:
            tenure.reached_ms = block.entries[-1].time_ms
        if tenure.waiting == 1:
            # Nothing follows at once: say so, else the next plan says it. Failing here leaves a plan, which is as good.
            try:
                plans.position(block.last + 1)
            except (FencedError, GoneError, KafkaAwayError) as error:
                logger.debug("%s: position %d is not committed: %s", block.place, block.last + 1, error)
        return outcome
