"""Two mends of how aiokafka reads batches of records, beside those of Faust.

A header's name that is no UTF-8 stalls no partition: aiokafka decodes names of headers as it reads a batch, and fails
before it gives the record, so that the fetch would be made and fail again for ever. Such a batch is read once more by
aiokafka's own reader in Python, with what is no text replaced.

Checksums are told by the processor's own instruction: in aiokafka's C, by tables, they took 8 % of a worker's time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import google_crc32c
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint_py

_LENGTH_AT: Final = 8  # after the offset of the batch (KIP-98)
_LENGTH_BYTES: Final = 4
_MAGIC_AT: Final = 16
_SUMMED_FROM: Final = 21  # the attributes and all that follows
_MAGIC: Final = 2


def mend_reading() -> None:
    """Let every consumer of this process read records so."""
    fetcher.MemoryRecords = Records


class Records:
    """What a fetch brought of one partition, batch by batch; the face of aiokafka's MemoryRecords.

    Args:
        data: batches, one after the other; the last one may be cut.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._at = memoryview(data), 0
        self._batches = MemoryRecords(data)

    def size_in_bytes(self) -> int:
        """How much came."""
        return int(self._batches.size_in_bytes())

    def has_next(self) -> bool:
        """Whether another whole batch came."""
        return bool(self._batches.has_next())

    def next_batch(self) -> Batch | None:
        """Give the next batch; None after the last."""
        batch = self._batches.next_batch()
        if batch is None:
            return None
        body = self._at + _LENGTH_AT + _LENGTH_BYTES
        end = body + int.from_bytes(self._data[body - _LENGTH_BYTES : body])
        data, self._at = self._data[self._at : end], end
        return Batch(batch, data)


class Batch:
    """One batch, which gives its records; all else it knows is that of aiokafka's batch."""

    def __init__(self, batch: Any, data: memoryview) -> None:  # noqa: ANN401 - aiokafka's, compiled
        self._batch, self._data = batch, data

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as above
        return getattr(self._batch, name)

    def __next__(self) -> Any:  # noqa: ANN401 - as above
        return next(self._batch)

    def validate_crc(self) -> bool:
        """Whether the bytes are those that were written: CRC-32C, which batches have since Kafka 0.11."""
        if self._data[_MAGIC_AT] != _MAGIC:
            return bool(self._batch.validate_crc())
        return bool(google_crc32c.value(bytes(self._data[_SUMMED_FROM:])) == self._batch.crc)

    def __iter__(self) -> Iterator[Any]:
        """Give all records, read at once: a batch has a megabyte at most."""
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            return iter(list(_Lenient(self._data)))


class _Lenient(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's reader in Python over bytes that decode whatever they are."""

    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Bytes(self._buffer)

    def _read_msg(self, _decode_varint: object = None) -> Any:  # noqa: ANN401 - aiokafka's record
        # The compiled decoder of numbers takes no bytearray but Python's own.
        return super()._read_msg(decode_varint_py)


class _Bytes(bytearray):
    """Bytes whose parts, as text, have a sign in place of what is no UTF-8."""

    def __getitem__(self, at: Any) -> Any:  # noqa: ANN401 - an index gives a number, a slice more of these
        part = super().__getitem__(at)
        return _Bytes(part) if isinstance(at, slice) else part

    def decode(self, encoding: str = "utf-8", _errors: str = "replace") -> str:
        """Decode, with a sign in place of what cannot be."""
        return super().decode(encoding, "replace")
