"""P1, whole: hot drift windows and restated ones together are a plain count of all rows, over crashes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest
from cold_archive import ColdArchive
from examples import many
from hypothesis import given, settings
from hypothesis import strategies as st
from shards import BASE_MS, DAY_MS, HOUR_MS, Widths, batch

from driftline.streams.replay.choice import Span
from driftline.streams.replay.drift_tasks import drift_done, drift_task, take_part
from driftline.streams.replay.recount import Recount
from driftline.streams.replay.restate import restate_drift
from driftline.streams.windows.checkpoint import commit, plan
from driftline.streams.windows.held import is_backward
from driftline.streams.windows.rules import MONTH_DAYS, Rules
from driftline.streams.windows.shard import Shard

RULES = Rules(out_of_orderness_ms=60_000, hot_windows=2, publish_seconds=0.0)
STEPS = 5
DAYS = (0, 1, 2, 3, 14, 15, 33, 36, 37, 38, 60, 61)
TIMES = st.lists(
    st.tuples(st.sampled_from(DAYS), st.integers(0, 23)).map(
        lambda at: BASE_MS + at[0] * DAY_MS + at[1] * HOUR_MS
    ),
    min_size=1,
    max_size=4,
)
TURNS = st.lists(st.tuples(st.sampled_from("pppppprrck"), st.integers(0, 12), TIMES), max_size=40)


HOT = (1, 2, 3, 8, 20)
STEPS_ON = (0.0, 0.0, 0.01, 0.04, 0.2, 1.0, 1.0, 3.0)
LATE_BY = (0.0, 0.0, 0.0, 0.01, 0.05, 0.3, 1.0, 2.0, 3.0, 8.0, 20.0, 40.0)
"""Days."""
WIDTHS = [("1d",), ("1h",), ("5m", "1h"), ("1h", "1d"), ("5m", "1h", "1d")]


def rules_of(hot_windows: int) -> Rules:
    """Rules by which so many windows are hot, and the days of their months kept."""
    return replace(RULES, hot_windows=hot_windows, kept_days=hot_windows + MONTH_DAYS)


@dataclass
class World:
    """The log, what was published, and the changelog."""

    profiles: Widths = field(default_factory=lambda: Widths("1h", "1d"))
    archive: ColdArchive = field(default_factory=ColdArchive)
    held: dict[bytes, bytes] = field(default_factory=dict)
    rules: Rules = RULES
    clock_s: float = 0.0

    def begin(self) -> Shard:
        """A worker that has read the changelog, and the log from there on."""
        shard = Shard.load(0, self.held, self.profiles, self.rules)
        for offset in range(shard.position + 1, len(self.archive.log)):
            shard.fold(offset, self.archive.log[offset], offset)
        return shard

    def checkpoint(self, shard: Shard, steps: int = STEPS) -> None:
        """Carry out a checkpoint, or so many steps of it."""
        self.clock_s += 1_000.0
        written = plan(shard, 0, self.clock_s)
        if steps >= 1:
            self._write(written.states[: len(written.states) // (2 if steps == 1 else 1)])
        if steps >= 2:
            for result in written.results:
                self.archive.publish(result)
        if steps >= 3:
            self._write(written.books)
        if steps >= 4 and written.partition_row is not None:
            self._write([written.partition_row])
        if steps >= STEPS:
            for key in written.tombstones:
                self.held.pop(key, None)
            commit(shard, written)

    def restate(self, shard: Shard, steps: int = STEPS) -> bool:
        """Restate what is cold; False when there was nothing."""
        self.checkpoint(shard)
        task = drift_task(shard, "a")
        if task is None:
            return False
        for part in restate_drift(None, task, self.profiles, self.rules, 0):  # type: ignore[arg-type]
            assert take_part(shard, task, part)
            self.checkpoint(shard, steps)
            if steps < STEPS:
                return True
        drift_done(shard, task)
        self.checkpoint(shard)
        return True

    def _write(self, records: list[tuple[bytes, bytes]]) -> None:
        for key, value in records:
            if not is_backward(self.held.get(key), value):
                self.held[key] = value

    def live(
        self, shard: Shard, turns: list[tuple[str, int, list[int]]], first: dict[int, list[int]]
    ) -> Shard:
        """Live through turns and restate all that is left; gives the worker that is there at the end."""
        for kind, number, times in turns:
            if kind == "p":
                self.predict(shard, number, first.setdefault(number, times))
            elif kind == "c":
                self.checkpoint(shard)
            elif kind == "r":
                self.restate(shard)
            elif kind == "h":
                shard = self.again(shard, HOT[number % len(HOT)], at_once=number % 2 == 0)
            else:
                (self.checkpoint if number % 2 else self.restate)(shard, number % STEPS)
                shard = self.begin()
        rounds = 0
        while self.restate(shard):
            rounds += 1
            assert rounds < 4
        return shard

    def again(self, shard: Shard, hot_windows: int, *, at_once: bool) -> Shard:
        """A worker that goes on by rules by which so many windows are hot, and may write before anything comes."""
        self.checkpoint(shard)
        self.rules = rules_of(hot_windows)
        shard = self.begin()
        if at_once:
            self.checkpoint(shard)
        return shard

    def predict(self, shard: Shard, number: int, times: list[int]) -> None:
        """Append a batch and fold it."""
        self.archive.log.append(batch("a", number, times))
        shard.fold(len(self.archive.log) - 1, self.archive.log[-1], len(self.archive.log))

    def plain(self, shard: Shard) -> dict[tuple[str, int], tuple[int, bytes]]:
        """Count all rows at once: rows and counters by width and start."""
        plain = Recount("a", 0, 0, Span(0, BASE_MS * 2), self.profiles, RULES)
        for cols in self.archive.log:
            plain.take(cols)
        results = plain.results(shard.book("a").watermark_ms, 0)
        return {(one.resolution, one.window_start_ms): (one.rows, one.counts) for one in results}

    def found(self) -> dict[tuple[str, int], tuple[int, bytes]]:
        """What was published last; without a hot window an empty one is, to say how many rows are late."""
        windows = self.archive.windows.items()
        return {(key[3], key[4]): (one.rows, one.counts) for key, one in windows if one.rows}


@settings(max_examples=many(80), deadline=None)
@given(TURNS)
def test_hot_and_restated_windows_are_a_plain_count(turns: list[tuple[str, int, list[int]]]) -> None:
    """For any rows, copies, restatements, and crashes at any step, counters of every window `==` a plain count."""
    world = World()
    with pytest.MonkeyPatch.context() as patch:
        world.archive.stand_in(patch)
        shard = world.live(world.begin(), turns, {})
    assert world.found() == world.plain(shard)


def walk(draw: random.Random) -> list[tuple[str, int, list[int]]]:
    """Turns in which time goes on, rows come late, and workers go on by other rules."""
    turns, now = [], 0.0
    for number in range(draw.randint(10, 60)):
        (kind,) = draw.choices("pcrkh", (10, 3, 2, 2, 3))
        now += (
            0.0
            if kind != "p"
            else draw.choice(STEPS_ON)
            if draw.random() < 0.95
            else draw.choice((20, 35, 70))
        )
        days = [max(0.0, now - draw.choice(LATE_BY)) for _ in range(draw.randint(1, 4))]
        turns.append((kind, number, [BASE_MS + round(day * DAY_MS) for day in days]))
    return turns


@pytest.mark.parametrize("seed", range(8))
def test_more_or_fewer_hot_windows_over_a_restart_are_a_plain_count(seed: int) -> None:
    """However many windows are hot in the lives of a worker, counters of every window `==` a plain count."""
    draw = random.Random(seed)
    for _ in range(10):
        world = World(rules=rules_of(draw.choice(HOT)))
        with pytest.MonkeyPatch.context() as patch:
            world.archive.stand_in(patch)
            shard = world.live(world.begin(), walk(draw), {})
        assert world.found() == world.plain(shard)


@settings(max_examples=many(80), deadline=None)
@given(TURNS, TURNS, st.sampled_from(WIDTHS), st.sampled_from(WIDTHS))
def test_windows_of_a_new_width_are_whole_or_silent(
    before: list[tuple[str, int, list[int]]],
    after: list[tuple[str, int, list[int]]],
    widths: tuple[str, ...],
    later: tuple[str, ...],
) -> None:
    """Whatever is counted from some moment on, over crashes at any step, no window lacks rows in the end."""
    world, first = World(Widths(*widths)), dict[int, list[int]]()
    with pytest.MonkeyPatch.context() as patch:
        world.archive.stand_in(patch)
        shard = world.live(world.begin(), before, first)
        world.profiles.widths = later
        shard = world.live(shard, after, first)
        for day in (120, 240):
            world.predict(shard, 1_000 + day, [BASE_MS + day * DAY_MS])
            shard = world.live(shard, [], first)
        want = world.plain(shard)
    counted = {*later} | ({"7d", "1M"} if "1d" in later else set())
    new = {*later} - {*widths} | ({"7d", "1M"} if "1d" not in widths else set())
    found = {key: one for key, one in world.found().items() if key[0] in counted}
    assert {key: one for key, one in want.items() if key in found or key[0] not in new} == found
