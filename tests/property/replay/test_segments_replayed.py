"""Windows counted again hold what the live worker counted of them by the values of segments too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from declared import RULES, published, sealed, tell
from hypothesis import given, settings
from hypothesis import strategies as st
from segmented import reference, rows

from driftline.schemas.deployment import Segment
from driftline.schemas.window import WindowResult
from driftline.streams.processors.profile_book import ProfileBook
from driftline.streams.processors.settings_book import SettingsBook
from driftline.streams.replay.books import ReplayProfiles
from driftline.streams.replay.choice import Span
from driftline.streams.replay.recount import Recount
from driftline.streams.windows.resolution import HOUR_MS
from driftline.streams.windows.shard import Shard

START_MS = 1_750_032_000_000 // HOUR_MS * HOUR_MS
PROFILE = reference(2_000, resolutions=("5m", "1h"))
HOURS = st.lists(st.tuples(st.integers(0, 3), st.integers(20, 80), st.booleans()), min_size=1, max_size=6)


@settings(max_examples=20, deadline=None)
@given(hours=HOURS, order=st.randoms(use_true_random=False), since=st.sampled_from([0, 2]))
def test_a_replay_counts_segments_as_the_live_worker_does(hours: list, order: object, since: int) -> None:
    """Counts and figures of every window, segments among them, are the live ones, in any order of the batches."""
    declared = SettingsBook()
    tell(declared, 1)
    tell(declared, 2, since_ms=START_MS + since * HOUR_MS, segments={"region": Segment()})
    live_book = ProfileBook(lambda: None, declared=declared)
    live_book.on_record(b"churn/1", PROFILE.to_bytes(), 0)
    shard = Shard.load(0, {}, live_book, replace(RULES, hot_windows=1_000))
    again = Recount(
        "churn", 0, len(hours), Span(0, START_MS * 2), ReplayProfiles([PROFILE], declared=declared), RULES
    )
    batches = []
    for number, (hour, count, moved) in enumerate(hours):
        times_ms = START_MS + hour * HOUR_MS + np.arange(count, dtype=np.int64) * 40_000
        cols = rows(number, count, times_ms, moved="UA" if moved else "", by=2.0)
        batches.append(sealed(cols, number))
        shard.fold(number, batches[-1], number)
    live = {_place(one): one for one in published(shard)}
    order.shuffle(batches)  # type: ignore[attr-defined]
    for cols in batches:
        again.take(cols)
    found = {_place(one): one for one in again.results(shard.book("churn").watermark_ms, 0)}
    assert {place: one.counts for place, one in found.items()} == {
        place: one.counts for place, one in live.items()
    }
    for place, one in found.items():
        assert one.figures == WindowResult.from_bytes(live[place].to_bytes()).figures


def _place(one: WindowResult) -> tuple[str, int]:
    return one.resolution, one.window_start_ms
