"""Repeats: ids that a model version predicts again, in one slot, in another cell; they count where they came first.

First is first in the log. What came before bars a later row only if its cell still took facts when that row came, so
that the log decides, and not when windows were published or where a crash cut the work. Ids that count elsewhere are
remembered as long as the cell they came again in, and stored when a cell goes cold that they may have come first in:
after a crash nothing else would tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from driftline.streams.join.elsewhere import Elsewhere
from driftline.streams.join.keys import find, ids_of, is_repeat, keys_of, pairs, places, sorted_order

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from numpy.typing import NDArray

    from driftline.streams.join.cell import Cell, Fresh, PredictionRows
    from driftline.streams.join.kept import CellKey
    from driftline.streams.join.keys import Keys

REPEATS_KEY: Final = b"i"
CHUNK: Final = 40_000
"""Ids a stored record."""


class Ids(NamedTuple):
    """Ids, sorted."""

    key: Keys
    rest: Keys

    def with_ids(self, key: Keys, rest: Keys) -> Ids:
        """Put other ids among these; both sorted, none in both."""
        at = places(self.key, self.rest, key, rest)
        return Ids(np.insert(self.key, at, key), np.insert(self.rest, at, rest))


_NONE: Final = Ids(np.zeros(0, np.uint64), np.zeros(0, np.uint64))


@dataclass(slots=True)
class Repeats:
    """The repeated ids of one deployment.

    Attributes:
        barred: by cell, the ids that came in it and count in another.
        elsewhere: what lies in no cell here, where a part of the past is counted again.
    """

    barred: dict[CellKey, Ids] = field(default_factory=dict)
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    _unsaved: set[CellKey] = field(default_factory=set)
    _saved: dict[CellKey, int] = field(default_factory=dict)
    _is_taken_up: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(ids.key.nbytes + ids.rest.nbytes for ids in self.barred.values())

    def first_of(
        self, fresh: Mapping[CellKey, Fresh], cells: Mapping[CellKey, Cell]
    ) -> dict[CellKey, PredictionRows]:
        """Of new predictions give those whose id did not come before in another cell of their version and slot.

        Args:
            fresh: by cell, what came since the last call.
            cells: all that take facts, without what is fresh.
        """
        groups: dict[tuple[str, str], dict[CellKey, Fresh]] = {}
        for name, one in fresh.items():
            if len(one.rows):
                groups.setdefault((name.version, name.slot), {})[name] = one
        again = {name: np.zeros(len(one.rows), np.bool_) for name, one in fresh.items()}
        for which, group in groups.items():
            others = {name: cell for name, cell in cells.items() if (name.version, name.slot) == which}
            for found in (self._came_before(group, others), _repeated_among(group)):
                for name, rows in found.items():
                    again[name][rows] = True
        for name, one in fresh.items() if self.elsewhere.nbytes else ():
            again[name] |= self.elsewhere.came_before(name.version, name.slot, one)
        self._is_taken_up = False
        kept: dict[CellKey, PredictionRows] = {}
        for name, one in fresh.items():
            held = self.barred.get(name, _NONE)
            known = find(held.key, held.rest, one.rows.key, one.rows.rest) >= 0
            new = again[name] & ~known
            if new.any():
                self.barred[name] = held.with_ids(one.rows.key[new], one.rows.rest[new])
                self._unsaved.add(name)
            out = again[name] | known
            kept[name] = one.rows.take(~out) if out.any() else one.rows
        return kept

    def drop(self, names: Iterable[CellKey]) -> None:
        """Forget the ids of cells that take no facts any more."""
        for name in names:
            self.barred.pop(name, None)
            self._unsaved.discard(name)

    def records(
        self, deployment: str, cells: Collection[CellKey], cold: Collection[CellKey]
    ) -> list[tuple[bytes, bytes | None]]:
        """Give what must be stored before cells are dropped, and tombstones of those that were before.

        Args:
            deployment: its name.
            cells: those that took facts until now.
            cold: those of them that are about to be dropped.
        """
        found: list[tuple[bytes, bytes | None]] = []
        # Of cells dropped now the record stays until their going is stored too.
        for name in [name for name in self._saved if name not in cells]:
            found += [(_key(deployment, name, at), None) for at in range(self._saved.pop(name))]
        touched = {(name.version, name.slot) for name in cold}
        for name in sorted(self._unsaved - set(cold)):
            if (name.version, name.slot) in touched:
                packed = ids_of(*self.barred[name])
                chunks = [packed[at : at + CHUNK].tobytes() for at in range(0, len(packed), CHUNK)]
                found += [(_key(deployment, name, at), chunk) for at, chunk in enumerate(chunks)]
                self._saved[name] = len(chunks)
                self._unsaved.discard(name)
        return found

    def take_up(self, name: CellKey, packed: bytes) -> None:
        """Take up a stored record; of a cell in any order."""
        key, rest = keys_of(np.frombuffer(packed, np.uint8).reshape(-1, 16))
        order = np.lexsort((rest, key))
        self.barred[name] = self.barred.get(name, _NONE).with_ids(key[order], rest[order])
        self._saved[name] = self._saved.get(name, 0) + 1
        self._is_taken_up = True

    def _came_before(
        self, group: Mapping[CellKey, Fresh], cells: Mapping[CellKey, Cell]
    ) -> dict[CellKey, NDArray[np.intp]]:
        """Of new rows of a version and slot give the places of those whose id another of its cells has."""
        low = min(int(one.rows.rest.min()) for one in group.values())
        high = max(int(one.rows.rest.max()) for one in group.values())
        near: dict[CellKey, list[Ids]] = {}
        for name, cell in cells.items():
            # What was taken up bars its own cell alone while all is read again: the rows themselves tell their order.
            if name in self.barred and not self._is_taken_up:
                near[name] = [self.barred[name]]
            # The upper half of an emitter's own ids is their time: most cells lie apart without a look at one of them.
            if low <= cell.rest_span[1] and high >= cell.rest_span[0]:
                near.setdefault(name, []).append(Ids(cell.rows.key, cell.rows.rest))
        if not near:
            return {}
        own, row, ids, which = _together(group)
        names, again, cold_ms = list(group), np.zeros(len(own), np.bool_), None
        for name, sets in near.items():
            for held in sets:
                there = pairs(ids.key, ids.rest, held.key, held.rest)[0]
                if not len(there):
                    continue
                if cold_ms is None:
                    cold_ms = np.concatenate([one.cold_ms for one in group.values()])[which.order]
                met = np.zeros(len(ids.key), np.bool_)
                met[there] = True
                mine = names.index(name) if name in group else -1
                again |= met[which.id] & (own != mine) & (cold_ms <= name.start_ms)
        return {name: row[again & (own == at)] for at, name in enumerate(names)} if again.any() else {}


class _Which(NamedTuple):
    """How rows that were put together lie: the order that sorted them, and the distinct id of each."""

    order: NDArray[np.intp]
    id: NDArray[np.intp]


def _together(
    group: Mapping[CellKey, Fresh],
) -> tuple[NDArray[np.intp], NDArray[np.intp], Ids, _Which]:
    """Sort the rows of several cells: the cell and the place in it of each, the distinct ids, and which are whose."""
    sizes = [len(one.rows) for one in group.values()]
    own = np.repeat(np.arange(len(sizes)), sizes)
    row = np.concatenate([np.arange(size) for size in sizes])
    key = np.concatenate([one.rows.key for one in group.values()])
    rest = np.concatenate([one.rows.rest for one in group.values()])
    order = sorted_order(key, rest) if len(sizes) > 1 else row
    key, rest = key[order], rest[order]
    new = ~is_repeat(key, rest)
    return own[order], row[order], Ids(key[new], rest[new]), _Which(order, np.cumsum(new) - 1)


def unpack_key(key: bytes) -> tuple[str, str, str, int]:
    """Give deployment, version, slot and start (ms) of a stored record."""
    name, version, slot, start_ms, _ = msgspec.msgpack.decode(key[len(REPEATS_KEY) :])
    return name, version, slot, start_ms


def _key(deployment: str, name: CellKey, chunk: int) -> bytes:
    return REPEATS_KEY + msgspec.msgpack.encode((deployment, *name, chunk))


def _repeated_among(group: Mapping[CellKey, Fresh]) -> dict[CellKey, NDArray[np.intp]]:
    """Of new rows of several cells give the places of those whose id came before in one that took facts then."""
    if len(group) == 1:
        return {}
    keys = np.sort(np.concatenate([one.rows.key for one in group.values()]))
    twice = np.unique(keys[1:][keys[1:] == keys[:-1]])
    if not len(twice):
        return {}
    names = sorted(group, key=lambda name: name.start_ms)
    at = [np.flatnonzero(np.isin(group[name].rows.key, twice)) for name in names]
    rank = np.repeat(np.arange(len(names)), [len(rows) for rows in at])
    key, rest, place, cold = (
        np.concatenate([column[rows] for column, rows in zip(columns, at, strict=True)])
        for columns in zip(
            *(
                (one.rows.key, one.rows.rest, one.place, one.cold_ms)
                for one in (group[name] for name in names)
            ),
            strict=True,
        )
    )
    order = np.lexsort((place, rest, key))
    same = is_repeat(key[order], rest[order])
    # The latest cell among the earlier rows of an id is the last that goes cold.
    of_id = np.cumsum(~same) * len(names)
    latest = np.maximum.accumulate(of_id + rank[order])
    starts = np.array([name.start_ms for name in names])
    before = starts[np.where(same, np.roll(latest, 1) - of_id, 0)]
    again = np.zeros(len(order), np.bool_)
    again[order] = same & (before >= cold[order])
    return {
        name: rows[again[rank == number]] for number, (name, rows) in enumerate(zip(names, at, strict=True))
    }
