"""Stored state: the records of a shard, taken up by one that begins again."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from driftline.streams.join.day_key import DAY_KEY
from driftline.streams.join.dirty import Offsets
from driftline.streams.join.kept import CellKey
from driftline.streams.join.outcomes_bytes import unpack
from driftline.streams.join.repeats import REPEATS_KEY, unpack_key
from driftline.streams.join.said import SAID_KEY, take_up_said
from driftline.streams.join.shard_row import ROW_KEY, read_row, take_up
from driftline.streams.windows.resolution import MERGED, Resolution
from driftline.streams.windows.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.streams.join.shard import Shard

logger = logging.getLogger(__name__)


def take_up_state(shard: Shard, held: Mapping[bytes, bytes]) -> tuple[int, int]:
    """Take up the records of a shard's state; gives the offsets of predictions and labels to read from.

    Raises:
        StateError: the state has another format, or was made from other topics.
    """
    for key, value in held.items():
        shard.seals.take_up(key, value)
        if key.startswith(DAY_KEY):
            name, version, slot, start_ms = msgspec.msgpack.decode(key[len(DAY_KEY) :])
            hot = shard.hot_of(name)
            try:
                hot.days.put(CellKey(version, slot, start_ms), unpack(value))
            except ValueError as error:
                logger.warning(
                    "a day of %r, %d, is left out of its week and month: %s", name, start_ms, error
                )
                continue
            # Of what an earlier release said nothing is stored: as provisional it is said again.
            for width in ("1d", *MERGED):
                hot.said.setdefault(Window(version, slot, width, Resolution(width).start(start_ms)), True)
        elif key.startswith(SAID_KEY):
            take_up_said(shard.hot_of(key[len(SAID_KEY) :].decode()), value)
        elif key.startswith(REPEATS_KEY):
            name, version, slot, start_ms = unpack_key(key)
            shard.hot_of(name).repeats.take_up(CellKey(version, slot, start_ms), value)
    row = held.get(ROW_KEY + b"%d" % shard.partition)
    if row is None:
        return 0, 0
    state = read_row(row, shard.partition, shard.topic_ids)
    shard.stored = (state["predictions"], state["labels"])
    shard.let_go_s = state.get("let_go_s", -1)
    _go_on_by(state.get("hot_windows", 0), shard)
    if "dirty" in state:
        shard.dirty = Offsets.from_list(state["dirty"])
    for parts in state["hots"]:
        take_up(shard.hot_of(parts[0]), parts)
    return state["from"][0], state["from"][1]


def _go_on_by(hot_windows: int, shard: Shard) -> None:
    """Let as many windows be hot as were when the state was stored, until that was told, where fewer are asked for."""
    more = hot_windows - shard.rules.hot_windows
    if more > 0:
        shard.asked = shard.rules
        kept_days = shard.rules.kept_days + more
        shard.rules = replace(shard.rules, hot_windows=hot_windows, kept_days=kept_days)
