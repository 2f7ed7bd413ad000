"""Kept: outcomes of many cells or days, as bytes but for those that are being counted.

Unpacked, the outcomes of one hour take 30 KB and more, packed one or two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from driftline.streams.join.maturity import KNOWN, observed_ms
from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.outcomes_bytes import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from driftline.streams.join.scheme import Scheme


class CellKey(NamedTuple):
    """Which predictions a cell holds."""

    version: str
    slot: str
    start_ms: int


class _Packed(NamedTuple):
    data: bytes
    digest: str
    predictions: int
    labels: int
    waited_ms: int | None


class Kept:
    """Outcomes by cell."""

    def __init__(self) -> None:
        self._open: dict[CellKey, Outcomes] = {}
        self._packed: dict[CellKey, _Packed] = {}
        self._packed_bytes = 0

    def __contains__(self, key: CellKey) -> bool:
        return key in self._open or key in self._packed

    def __iter__(self) -> Iterator[CellKey]:
        yield from self._open
        yield from self._packed

    def __len__(self) -> int:
        return len(self._open) + len(self._packed)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._packed_bytes + sum(one.nbytes for one in self._open.values())

    def opened(self, key: CellKey, scheme: Scheme | None) -> Outcomes:
        """Give outcomes to be changed, until the next `close`; nothing yet where there are none."""
        if key not in self._open:
            held = self.get(key)
            self.drop(key)
            self._open[key] = Outcomes.of(scheme) if held is None else held
        return self._open[key]

    def get(self, key: CellKey) -> Outcomes | None:
        """Give outcomes to be read; None where there are none."""
        if key in self._open:
            return self._open[key]
        return unpack(self._packed[key].data) if key in self._packed else None

    def counts(self, key: CellKey) -> tuple[int, int]:
        """Give predictions and labels of outcomes that are there."""
        held = self._open[key] if key in self._open else self._packed[key]
        return held.predictions, held.labels

    def waited_ms(self, keys: Collection[CellKey]) -> int | None:
        """Give how long labels of some of what is there took, ms: as long as on the slowest that says so.

        Returns:
            None while too few of all of it have a label to tell.
        """
        counts = [self.counts(key) for key in keys]
        waits = [
            _waited_ms(self._open[key]) if key in self._open else self._packed[key].waited_ms for key in keys
        ]
        if sum(labels for _, labels in counts) < KNOWN * sum(predictions for predictions, _ in counts):
            return None
        return max((wait for wait in waits if wait is not None), default=None)

    def digest(self, key: CellKey) -> str:
        """Give by which scheme outcomes that are there were counted."""
        return (self._open[key] if key in self._open else self._packed[key]).digest

    def packed(self, key: CellKey) -> bytes:
        """Give outcomes that are there as bytes."""
        return pack(self._open[key]) if key in self._open else self._packed[key].data

    def put(self, key: CellKey, outcomes: Outcomes) -> None:
        """Keep outcomes, in place of what was kept."""
        self.drop(key)
        one = self._packed[key] = _Packed(
            pack(outcomes), outcomes.digest, outcomes.predictions, outcomes.labels, _waited_ms(outcomes)
        )
        self._packed_bytes += len(one.data)

    def all(self) -> dict[CellKey, Outcomes]:
        """Give everything, to be read."""
        return {key: one for key in self if (one := self.get(key)) is not None}

    def drop(self, key: CellKey) -> None:
        """Forget outcomes."""
        self._open.pop(key, None)
        gone = self._packed.pop(key, None)
        self._packed_bytes -= 0 if gone is None else len(gone.data)

    def close(self) -> None:
        """Pack what was open."""
        for key, outcomes in tuple(self._open.items()):
            self.put(key, outcomes)

    def within(self, version: str, slot: str, start_ms: int, end_ms: int) -> list[CellKey]:
        """Give the cells of one model version and slot that start in a span, in order."""
        return sorted(
            key
            for key in self
            if (key.version, key.slot) == (version, slot) and start_ms <= key.start_ms < end_ms
        )


def _waited_ms(outcomes: Outcomes) -> int | None:
    return None if outcomes.delays is None else observed_ms(outcomes.delays, outcomes.predictions)
