"""Batches sealed once: their bytes and their identity are fixed here, before anything is sent, and never again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from driftline.agents.emit.errors import cause_of
from driftline.schemas.columns import Identity
from driftline.schemas.refusal import Refused


@dataclass(slots=True)
class Sealed:
    """One message as it is sent, spooled and sent again: always these bytes under this identity.

    `ordinal` counts the sealed batches of one life over all topics; `oldest_ms` is its earliest event time.
    """

    topic: str
    key: bytes
    payload: bytes | memoryview
    seq: int
    rows: int
    sealed_ms: int
    oldest_ms: int
    ordinal: int


class Batch(Protocol):
    """Rows on their way into a batch, which can be cut."""

    @property
    def rows(self) -> int:
        """Number of rows."""

    def part(self, start: int, stop: int) -> Any:
        """Give the rows from start to before stop, as a batch of the same type."""

    def bare(self) -> Any:
        """Give the same rows without what others brought into the batch; itself where there is nothing of that."""


@dataclass(frozen=True, slots=True)
class Lost:
    """One row that could not be sealed: the reason it is counted under, and the cause for people."""

    reason: str
    cause: str


@dataclass(frozen=True, slots=True)
class Packer:
    """How the rows of one topic become bytes.

    `columns` encodes rows as columns (with an `identity` to set), `pack` gives their bytes or raises Refused, and
    `oldest_ms` is the earliest event time of columns.
    """

    columns: Callable[[Any], Any]
    pack: Callable[[Any], bytes]
    oldest_ms: Callable[[Any], int]


class Sealer:
    """Seals the batches of one topic of one life, numbered from 0 without holes."""

    def __init__(self, topic: str, deployment: str, instance: str, epoch: int, packer: Packer) -> None:
        self.topic: Final = topic
        self._key = deployment.encode()
        self._instance = instance
        self._epoch = epoch
        self._packer = packer
        self._next_seq = 0

    @property
    def next_seq(self) -> int:
        """The number that the next batch will carry."""
        return self._next_seq

    def seal(self, batch: Batch, now_ms: int, ordinal: int) -> Iterator[Sealed | Lost]:
        """Seal rows as one batch; cut in halves what is too large, down to the one row that is to blame."""
        fault = self._try(batch, now_ms, ordinal)
        if isinstance(fault, Sealed):
            self._next_seq += 1
            yield fault
        elif batch.rows == 1:
            if fault.reason == "too_large" and (bare := batch.bare()) is not batch:
                fault = self._try(bare, now_ms, ordinal)
                self._next_seq += isinstance(fault, Sealed)
            yield fault
        else:
            half = batch.rows // 2
            for part in (batch.part(0, half), batch.part(half, batch.rows)):
                for one in self.seal(part, now_ms, ordinal):
                    yield one
                    ordinal += isinstance(one, Sealed)

    def _try(self, batch: Batch, now_ms: int, ordinal: int) -> Sealed | Lost:
        try:
            cols = self._packer.columns(batch)
            cols.identity = Identity(self._instance, self._epoch, self._next_seq)
            payload = self._packer.pack(cols)
            oldest_ms = self._packer.oldest_ms(cols)
        except Refused as refused:
            return Lost("too_large" if refused.reason == "too_large" else "invalid", refused.detail)
        except BaseException as error:  # noqa: BLE001 - values are the application's: whatever they do costs their row alone
            return Lost("invalid", cause_of(error))
        return Sealed(self.topic, self._key, payload, self._next_seq, batch.rows, now_ms, oldest_ms, ordinal)
