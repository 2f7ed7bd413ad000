"""One partition's work: hot and cold, closing by events and by the clock, caps."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from shards import BASE_MS, DAY_MS, HOUR_MS, RowsOnly, batch

from driftline.schemas.columns import PredictionColumns
from driftline.schemas.window import WindowResult
from driftline.streams.windows.checkpoint import Checkpoint, commit, plan
from driftline.streams.windows.held import StateError, book_key
from driftline.streams.windows.late import Late
from driftline.streams.windows.results import Due
from driftline.streams.windows.rules import Rules
from driftline.streams.windows.shard import Shard

RULES = Rules(out_of_orderness_ms=60_000, hot_windows=2, publish_seconds=5.0)


def shard_of(*messages: PredictionColumns | None, rules: Rules = RULES) -> Shard:
    """Fold messages into a new shard; the broker's time is a second an offset."""
    shard = Shard.load(0, {}, RowsOnly(), rules)
    for offset, message in enumerate(messages):
        shard.fold(offset, message, 1_000 * offset)
    return shard


def checkpoint(shard: Shard, clock_s: float = 0.0, *, closing: bool = False) -> Checkpoint:
    """Carry a checkpoint out as if every step were acknowledged."""
    written = plan(shard, 0, clock_s, closing=closing)
    sent = [Due(one.resolution, partial(_same, one)) for one in written.results]
    commit(shard, written)
    written.due = sent
    return written


def _same(result: WindowResult) -> WindowResult:
    return result


def _written(shard: Shard) -> dict[bytes, bytes]:
    checkpoint(shard)
    return shard.held


def rows_of(written: Checkpoint, resolution: str) -> dict[int, tuple[int, bool, bool]]:
    """Rows, final and restated of the published windows of a resolution, by hours since the base."""
    return {
        (one.window_start_ms - BASE_MS) // HOUR_MS: (one.rows, one.final, one.restated)
        for one in written.results
        if one.resolution == resolution
    }


def test_a_window_closes_when_the_watermark_reaches_its_end() -> None:
    """An hour is open until an event comes a minute (the bound) after its end; then it is published as final."""
    shard = shard_of(batch("a", 0, [BASE_MS, BASE_MS + HOUR_MS + 59_000]))
    assert rows_of(checkpoint(shard), "1h") == {0: (1, False, False), 1: (1, False, False)}
    shard.fold(1, batch("a", 1, [BASE_MS + HOUR_MS + 60_000]), 0)
    assert rows_of(checkpoint(shard, 10.0), "1h") == {0: (1, True, False), 1: (2, False, False)}


def test_an_open_window_is_published_no_more_often_than_asked() -> None:
    """Within publish_seconds a changed open window waits; it is not forgotten."""
    shard = shard_of(batch("a", 0, [BASE_MS]))
    checkpoint(shard, 0.0)
    shard.fold(1, batch("a", 1, [BASE_MS]), 0)
    assert rows_of(checkpoint(shard, 1.0), "1h") == {}
    assert rows_of(checkpoint(shard, 6.0), "1h") == {0: (2, False, False)}
    assert rows_of(checkpoint(shard, 12.0), "1h") == {}


def test_a_window_that_is_not_decoded_any_more_waits_for_its_turn_like_others() -> None:
    """Taken out of memory between two messages, an open window is still published once in publish_seconds."""
    rules = Rules(out_of_orderness_ms=60_000, hot_windows=2, publish_seconds=5.0, working_bytes=0)
    shard = shard_of(batch("a", 0, [BASE_MS]), rules=rules)
    checkpoint(shard, 0.0)
    shard.fold(1, batch("a", 1, [BASE_MS]), 0)
    assert rows_of(checkpoint(shard, 1.0), "1h") == {}
    shard.fold(2, batch("b", 0, [BASE_MS]), 0)
    assert rows_of(checkpoint(shard, 2.0), "1h") == {0: (1, False, False)}
    assert {key.deployment for key in shard.panes} == {"b"}
    assert rows_of(checkpoint(shard, 4.9), "1h") == {}
    assert rows_of(checkpoint(shard, 5.0), "1h") == {0: (2, False, False)}
    assert rows_of(checkpoint(shard, 20.0), "1h") == {}


def test_a_late_row_restates_a_hot_window_and_marks_a_cold_one() -> None:
    """Two closed hours still take rows, restated once in publish_seconds; an older hour counts them as late."""
    shard = shard_of(batch("a", 0, [BASE_MS + hour * HOUR_MS for hour in range(6)]))
    checkpoint(shard)
    shard.fold(1, batch("a", 1, [BASE_MS + 3 * HOUR_MS, BASE_MS]), 0)
    assert rows_of(checkpoint(shard, 1.0), "1h") == {}
    assert rows_of(checkpoint(shard, 6.0), "1h") == {3: (2, True, True), 5: (1, False, False)}
    assert shard.books["a"].late.total == 1
    assert shard.books["a"].late.spans == [Late("1", "champion", BASE_MS, BASE_MS + DAY_MS, 1, 1, 1)]


def days(*numbers: int) -> list[int]:
    """Event times at noon of these days since the base."""
    return [BASE_MS + number * DAY_MS + DAY_MS // 2 for number in numbers]


def test_late_rows_alone_have_the_newest_window_published_again() -> None:
    """How many rows came too late is told though no window takes them, and survives a crash before it was told."""
    shard = shard_of(batch("a", 0, days(0, 1, 2, 3, 4, 5)))
    checkpoint(shard)
    shard.fold(1, batch("a", 1, days(0, 0)), 0)
    crashed = Shard.load(0, shard.held, RowsOnly(), RULES)
    crashed.fold(1, batch("a", 1, days(0, 0)), 0)
    (told,) = checkpoint(shard, 6.0).results
    assert (told.late_rows, told.rows, told.resolution) == (2, 1, "1h")
    assert told.window_start_ms == days(5)[0]
    reloaded = Shard.load(0, shard.held, RowsOnly(), RULES)
    for one in (crashed, reloaded):
        assert {result.late_rows for result in checkpoint(one).results} == {2}


def test_a_version_whose_rows_are_all_late_has_an_empty_window() -> None:
    """A new version that sends only what is long closed shows its late rows in the window of the watermark."""
    shard = shard_of(batch("a", 0, days(0, 1, 2, 3, 4, 5)))
    checkpoint(shard)
    shard.fold(1, replace(batch("a", 1, days(0, 1)), model_version="2"), 0)
    (told,) = checkpoint(shard, 6.0).results
    assert (told.model_version, told.late_rows, told.rows, told.final) == ("2", 2, 0, False)
    shard.fold(2, replace(batch("a", 2, [told.window_start_ms]), model_version="2"), 0)
    (counted,) = [one for one in checkpoint(shard, 12.0).results if one.resolution == "1h"]
    assert (counted.rows, counted.late_rows) == (1, 2)
    assert counted.version > told.version


def test_rows_in_order_are_never_late_however_sparse() -> None:
    """A batch of a row a day, in order, fills every window; in reverse all but the newest are late for some window."""
    days = [BASE_MS + day * DAY_MS for day in range(40)]
    shard = shard_of(batch("a", 0, days), batch("b", 0, days[::-1]))
    assert shard.books["a"].late.total == 0
    assert shard.books["b"].late.total == 39


def test_a_batch_seen_before_changes_nothing() -> None:
    """The same seal again is a duplicate, whatever it holds."""
    shard = shard_of(batch("a", 0, [BASE_MS]), batch("a", 0, [BASE_MS]), None)
    assert (shard.tally.events, shard.tally.duplicates, shard.tally.refused) == (1, 1, 1)
    assert rows_of(checkpoint(shard), "1h") == {0: (1, False, False)}


def test_silence_closes_what_the_clock_has_closed_and_no_more() -> None:
    """Idle closing needs silence and no emitter that holds back; a replay of the past then goes on where it stopped."""
    shard = shard_of(batch("a", 0, [BASE_MS]))
    now_ms = BASE_MS + 100 * DAY_MS
    assert not shard.idle(10_000, 15_000, lambda _: False)
    assert not shard.idle(now_ms, 15_000, lambda _: True)
    assert shard.idle(now_ms, 15_000, lambda _: False)
    assert rows_of(checkpoint(shard), "1d") == {0: (1, True, False)}
    shard.fold(1, batch("a", 1, [BASE_MS + DAY_MS + 5 * HOUR_MS]), now_ms)
    assert rows_of(checkpoint(shard, 10.0), "1d") == {24: (1, False, False)}
    assert shard.books["a"].late.total == 0


def test_a_live_stream_that_falls_silent_closes_by_the_clock() -> None:
    """The hour of the last event stays open until the clock, less the bound, has reached its end."""
    shard = shard_of(batch("a", 0, [BASE_MS + HOUR_MS // 2]))
    assert not shard.idle(BASE_MS + HOUR_MS + 59_999, 15_000, lambda _: False)
    assert shard.idle(BASE_MS + HOUR_MS + 60_000, 15_000, lambda _: False)
    assert rows_of(checkpoint(shard), "1h") == {0: (1, True, False)}


def test_the_cap_pushes_the_oldest_windows_out_after_publishing_them() -> None:
    """Past the cap of stored bytes the oldest windows are published, dropped and cold; later rows for them are late."""
    rules = Rules(out_of_orderness_ms=60_000, hot_windows=50, publish_seconds=0.0, held_bytes=1_500)
    shard = shard_of(batch("a", 0, [BASE_MS + hour * HOUR_MS for hour in range(20)]), rules=rules)
    checkpoint(shard)
    assert sum(map(len, shard.held.values())) > 1_500
    written = checkpoint(shard, 1.0)
    assert rows_of(written, "1h")[0] == (1, True, False)
    assert len(written.tombstones) > 0
    shard.fold(1, batch("a", 1, [BASE_MS]), 0)
    assert shard.books["a"].late.total == 1


def test_working_copies_are_bounded() -> None:
    """Past the cap only what the last checkpoint wrote stays decoded; the rest is read again when needed."""
    rules = Rules(out_of_orderness_ms=0, hot_windows=50, publish_seconds=0.0, working_bytes=0)
    shard = shard_of(batch("a", 0, [BASE_MS + hour * HOUR_MS for hour in range(10)]), rules=rules)
    assert shard.fresh_bytes == sum(pane.counters.size_bytes for pane in shard.panes.values())
    checkpoint(shard)
    shard.fold(1, batch("a", 1, [BASE_MS + 9 * HOUR_MS]), 0)
    assert shard.fresh_bytes == 0
    checkpoint(shard)
    assert {(key.resolution, key.start_ms) for key in shard.panes} == {
        ("1h", BASE_MS + 9 * HOUR_MS),
        ("1d", BASE_MS),
    }
    shard.fold(2, batch("a", 2, [BASE_MS + 3 * HOUR_MS]), 0)
    assert rows_of(checkpoint(shard, 1.0), "1h") == {3: (2, True, True)}


def test_closing_decodes_one_window_after_the_other() -> None:
    """Results are worked out as they are sent: windows that only close are not kept as working copies."""
    rules = Rules(out_of_orderness_ms=0, hot_windows=50, publish_seconds=1e9, working_bytes=0)
    shard = shard_of(batch("a", 0, [BASE_MS + hour * HOUR_MS for hour in range(20)]), rules=rules)
    loaded = Shard.load(0, _written(shard), RowsOnly(), rules)
    loaded.fold(1, batch("a", 1, [BASE_MS + 3 * DAY_MS]), 0)
    written = plan(loaded, 0, 1.0)
    # Of the 20 hours and the day, all hot, each once more; another hour and day; the week and the month of two days.
    assert len(list(written.results)) == 25
    assert len(loaded.panes) == 2


def test_state_of_another_release_stops_with_a_sentence() -> None:
    """A value of an unknown format is named, with its key."""
    with pytest.raises(StateError, match="format 9"):
        Shard.load(0, {book_key("a"): bytes([9]) + bytes(20)}, RowsOnly(), RULES)


def test_nothing_to_write_is_an_empty_checkpoint() -> None:
    """After a checkpoint without news there is nothing to send."""
    shard = shard_of(batch("a", 0, [BASE_MS]))
    checkpoint(shard, closing=True)
    assert plan(shard, 0, 100.0).is_empty


def test_live_traffic_of_many_deployments_decodes_nothing_again() -> None:
    """While their open windows fit the cap, deployments in turn take up no window twice, so force no checkpoint."""
    names = [f"d{number}" for number in range(20)]
    shard = shard_of(*(batch(name, 0, [BASE_MS]) for name in names))
    live = shard.fresh_bytes
    shard.rules = replace(RULES, working_bytes=live)
    checkpoint(shard)
    for number, name in enumerate(names):
        shard.fold(100 + number, batch(name, 1, [BASE_MS]), 0)
        assert shard.fresh_bytes == 0
        checkpoint(shard)
    shard.rules = replace(RULES, working_bytes=live // 2)
    checkpoint(shard)
    shard.fold(200, batch(names[0], 2, [BASE_MS]), 0)
    assert shard.fresh_bytes > 0
