"""Previous: the windows before restated ones, where settings ask that each is held against the one before it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from driftline.streams.clickhouse import window_reads
from driftline.streams.windows.book import WIDTHS_MS
from driftline.streams.windows.counters import Counters, CountersError
from driftline.streams.windows.held import PaneKey, StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from driftline.streams.clickhouse.client import Client
    from driftline.streams.windows.profiles import Profiles


def asks_for_previous(profiles: Profiles, key: PaneKey) -> bool:
    """Whether the settings at a window's end ask that it is held against the one before it."""
    end_ms = key.start_ms + WIDTHS_MS[key.resolution]
    return "previous" in profiles.state(key.deployment, end_ms).settings.baselines


def previous_counters(
    client: Client,
    profiles: Profiles,
    keys: Iterable[PaneKey],
    earlier: Mapping[PaneKey, bytes],
    settled: Callable[[], None],
) -> dict[PaneKey, Counters]:
    """Give the counters of the windows before some: as restated just now, else as published.

    Args:
        client: where the archive is.
        profiles: what windows were measured against, and the settings.
        keys: the windows; of one before another nothing is read.
        earlier: what was restated just now, and may not be published yet.
        settled: returns when the archive holds all windows published so far.

    Returns:
        Those that are there: not of windows that were never published, or whose profile is gone.
    """
    wanted = set(keys)
    found = {}
    for key in wanted:
        before = replace(key, start_ms=key.start_ms - WIDTHS_MS[key.resolution])
        if before in wanted or not asks_for_previous(profiles, key):
            continue
        if before in earlier:
            layout = profiles.layout(before.deployment, before.version)
            found[before] = Counters.from_bytes(layout, earlier[before])
            continue
        settled()
        window = before.window
        stored = window_reads.published(client, before.deployment, window, window.end_ms, "drift")
        held = stored.get(before.start_ms)
        if held is not None and held.counts:
            with suppress(StateError, CountersError):
                found[before] = Counters.from_bytes(profiles.layout_of(before, held.digest), held.counts)
    return found
