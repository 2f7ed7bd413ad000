"""What a shard takes up after a restart: results that may not have been sent, and leftovers of cold windows."""

from __future__ import annotations

from shards import BASE_MS, DAY_MS, HOUR_MS, RowsOnly, batch

from driftline.streams.windows.checkpoint import commit, plan
from driftline.streams.windows.held import PaneKey
from driftline.streams.windows.results import encoded
from driftline.streams.windows.rules import Rules
from driftline.streams.windows.shard import Shard

RULES = Rules(out_of_orderness_ms=60_000, hot_windows=2, publish_seconds=1_000.0)


def fed(*times: int, rules: Rules = RULES) -> Shard:
    """A shard of one deployment that has folded a message a time, and checkpointed once at the first."""
    shard = Shard.load(0, {}, RowsOnly(), rules)
    for offset, time in enumerate(times):
        shard.fold(offset, batch("a", offset, [time]), 0)
        if offset == 0:
            commit(shard, plan(shard, 0, 0.0))
    return shard


def rows(shard: Shard, clock_s: float = 1.0) -> dict[tuple[str, int], int]:
    """What a checkpoint publishes now: rows by resolution and start."""
    written = plan(shard, 0, clock_s)
    found = {(one.resolution, one.window_start_ms): one.rows for one in written.results}
    commit(shard, written)
    return found


def test_a_result_that_waited_is_published_after_a_restart() -> None:
    """State is written before an open window's turn to be published comes; a restart does not forget that turn."""
    shard = fed(BASE_MS, BASE_MS + 1)
    assert rows(shard) == {}
    again = Shard.load(0, shard.held, RowsOnly(), RULES)
    found = rows(again)
    assert (found["1h", BASE_MS], found["1d", BASE_MS]) == (2, 2)
    assert {resolution for resolution, _ in found} == {"1h", "1d", "7d", "1M"}
    assert rows(again, 2_000.0) == {}


def test_a_quiet_stream_closes_after_a_restart() -> None:
    """Idle closing reaches windows that no message has touched since the state was loaded."""
    shard = fed(BASE_MS)
    again = Shard.load(0, shard.held, RowsOnly(), RULES)
    assert again.idle(BASE_MS + 100 * DAY_MS, 15_000, lambda _: False)
    written = plan(again, 0, 1.0)
    assert {(one.resolution, one.final) for one in written.results} >= {("1h", True), ("1d", True)}


def test_a_stored_window_that_is_cold_is_deleted() -> None:
    """A tombstone that was lost or overtaken is sent again, and the bytes do not stay."""
    shard = fed(BASE_MS, BASE_MS + 10 * HOUR_MS)
    rows(shard)
    stale = PaneKey("a", "1", "champion", "1h", BASE_MS - 100 * HOUR_MS).encode()
    some = next(value for key, value in shard.held.items() if key.startswith(b"p"))
    again = Shard.load(0, shard.held | {stale: some}, RowsOnly(), RULES)
    written = plan(again, 0, 1.0)
    assert written.tombstones == [stale]
    commit(again, written)
    assert stale not in again.held


def test_a_month_that_lost_days_to_the_cap_is_not_published_again() -> None:
    """Days pushed out at the byte cap leave what was published of their month as it stood."""
    rules = Rules(out_of_orderness_ms=60_000, hot_windows=2, publish_seconds=0.0, held_bytes=1_200)
    start = BASE_MS // (30 * DAY_MS) * (30 * DAY_MS)
    shard = fed(*(start + day * DAY_MS for day in range(20)), rules=rules)
    first = rows(shard)
    assert max(count for (name, _), count in first.items() if name == "1M") > 5
    shard.fold(20, batch("a", 20, [start + 20 * DAY_MS]), 0)
    pushed = rows(shard, 10_000.0)
    assert not [name for name in pushed if name[0] == "1M" and name[1] < shard.books["a"].floors_ms["1d"]]


def test_a_result_too_large_for_the_topic_still_says_how_many_rows_it_has() -> None:
    """Without its counts, then without its figures: the window is published in any case."""
    shard = fed(BASE_MS)
    result = next(iter(plan(Shard.load(0, shard.held, RowsOnly(), RULES), 0, 0.0).results))
    result.counts = bytes(3_000_000)
    assert len(encoded(result)) < 10_000
    result.figures = result.figures * 10_000
    slim = type(result).from_bytes(encoded(result))
    assert [figure.verdict for figure in slim.figures] == ["inconclusive"]
    assert "too large" in slim.figures[0].reason
    assert slim.rows == 1
