"""P1 without a broker: whatever crashes, the windows hold each row once, and equal a plain count."""

from __future__ import annotations

from dataclasses import dataclass, field

from examples import many
from hypothesis import given, settings
from hypothesis import strategies as st
from shards import BASE_MS, DAY_MS, RowsOnly, batch

from driftline.schemas.columns import PredictionColumns
from driftline.schemas.window import WindowResult
from driftline.streams.windows.book import WIDTHS_MS
from driftline.streams.windows.checkpoint import commit, plan
from driftline.streams.windows.held import is_backward
from driftline.streams.windows.rules import Rules
from driftline.streams.windows.shard import Shard

BOUND_MS = 60_000
RULES = Rules(out_of_orderness_ms=BOUND_MS, hot_windows=2, publish_seconds=5.0)
STEPS = 5

WindowName = tuple[str, str, int]


@dataclass
class Log:
    """What the broker keeps: the changelog by key, and the results by window."""

    held: dict[bytes, bytes] = field(default_factory=dict)
    results: dict[WindowName, tuple[int, int, bool]] = field(default_factory=dict)

    def write(self, records: list[tuple[bytes, bytes]]) -> None:
        """Append; a recovery keeps the longer prefix of each key."""
        for key, value in records:
            if not is_backward(self.held.get(key), value):
                self.held[key] = value

    def publish(self, results: list[WindowResult]) -> None:
        """Take results as ClickHouse does: of each window the greatest version holds."""
        for result in results:
            name = (result.deployment, result.resolution, result.window_start_ms)
            kept = self.results.get(name)
            if kept is None or kept[0] <= result.version:
                self.results[name] = (result.version, result.rows, result.final)


def oracle(log: list[PredictionColumns]) -> dict[WindowName, int]:
    """Count row by row, in plain Python: rows that are not too late, batches once."""
    counts: dict[WindowName, int] = {}
    newest: dict[str, int] = {}
    seen: set[tuple[str, int]] = set()
    for columns in log:
        assert columns.identity is not None
        name = (columns.deployment, columns.identity.seq)
        if name in seen:
            continue
        seen.add(name)
        for time in columns.times_ms.tolist():
            watermark = newest[columns.deployment] - BOUND_MS if columns.deployment in newest else None
            for resolution in ("1h", "1d"):
                width = WIDTHS_MS[resolution]
                start = time // width * width
                closed = None if watermark is None else watermark // width * width
                if closed is None or start >= closed - RULES.hot_windows * width:
                    window = (columns.deployment, resolution, start)
                    counts[window] = counts.get(window, 0) + 1
            newest[columns.deployment] = max(time, newest.get(columns.deployment, time))
    return counts


def run(log: list[PredictionColumns], broker: Log, stops: list[tuple[int, int]]) -> None:
    """Work through the log; each stop is (messages folded before a checkpoint, steps of it carried out)."""
    turns = [*stops, (len(log) + 1, STEPS)]
    for turn, (count, steps) in enumerate(turns):
        shard = Shard.load(0, broker.held, RowsOnly(), RULES)
        last = turn == len(turns) - 1
        start = shard.position + 1
        for offset in range(start, min(len(log), start + count)):
            shard.fold(offset, log[offset], 1_000 * offset)
        written = plan(shard, 0, float(turn), closing=last)
        if steps >= 1:
            broker.write(written.states[: len(written.states) // (2 if steps == 1 else 1)])
        if steps >= 2:
            broker.publish(written.results)
        if steps >= 3:
            broker.write(written.books)
        if steps >= 4 and written.partition_row is not None:
            broker.write([written.partition_row])
        if steps >= STEPS:
            for key in written.tombstones:
                broker.held.pop(key, None)
            commit(shard, written)


times = st.lists(
    st.integers(0, 12 * DAY_MS // 600_000).map(lambda n: BASE_MS + 600_000 * n), min_size=1, max_size=4
)
messages = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 12), times), min_size=1, max_size=25)
crashes = st.lists(st.tuples(st.integers(0, 6), st.integers(0, STEPS)), max_size=12)


@settings(max_examples=many(300), deadline=None)
@given(messages, crashes)
def test_a_crash_at_any_step_changes_no_count(
    sent: list[tuple[str, int, list[int]]], stops: list[tuple[int, int]]
) -> None:
    """For any messages (late, shuffled, sent twice) and crashes, published rows equal the plain count, `==`."""
    first: dict[tuple[str, int], list[int]] = {}
    log = [batch(name, seq, first.setdefault((name, seq), rows)) for name, seq, rows in sent]
    broker = Log()
    run(log, broker, stops)
    found = {name: rows for name, (_, rows, _) in broker.results.items() if name[1] in ("1h", "1d")}
    assert found == oracle(log)


@settings(max_examples=many(100), deadline=None)
@given(messages)
def test_weeks_and_months_are_the_sums_of_their_days(sent: list[tuple[str, int, list[int]]]) -> None:
    """A week's and a month's rows are the rows of the days in it, as published."""
    first: dict[tuple[str, int], list[int]] = {}
    log = [batch(name, seq, first.setdefault((name, seq), rows)) for name, seq, rows in sent]
    broker = Log()
    run(log, broker, [])
    for deployment in {name for name, _, _ in sent}:
        days = sum(rows for (d, r, _), (_, rows, _) in broker.results.items() if (d, r) == (deployment, "1d"))
        for wide in ("7d", "1M"):
            merged = sum(
                rows for (d, r, _), (_, rows, _) in broker.results.items() if (d, r) == (deployment, wide)
            )
            assert merged == days
