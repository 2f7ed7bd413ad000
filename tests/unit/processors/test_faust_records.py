"""Batches as aiokafka reads them: names of headers that are no UTF-8, and checksums."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from driftline.streams.processors.faust_records import Records, mend_reading

CODECS = {"plain": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


class NoText(str):
    """A name that a producer in another language sends as other bytes than UTF-8."""

    __slots__ = ()

    def encode(self, *_args: Any) -> bytes:
        """Give bytes that no UTF-8 has."""
        return b"\xff\xfe"


def fetched(codec: int) -> bytes:
    """Two batches as a broker sends them, the first with such a name, and the begin of a third."""
    made = []
    for names in ((NoText(), "known"), ("known",)):
        builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, 0, 1 << 20)
        for offset, name in enumerate(names):
            builder.append(offset, 1_750_000_000_000, b"key", b"value %d" % offset, [(name, b"v")])
        made.append(bytes(builder.build()))
    return b"".join((*made, made[0][:20]))


@pytest.mark.parametrize("codec", CODECS)
def test_such_a_record_and_those_behind_it_are_read(codec: str) -> None:
    """Every record comes, in order and whole, whatever compressed it; what is no text is replaced in the name alone."""
    records, found = Records(fetched(CODECS[codec])), []
    while records.has_next():
        batch = records.next_batch()
        assert batch is not None
        assert batch.validate_crc()
        found.append([(one.offset, one.timestamp, one.key, one.value, one.headers) for one in batch])
    time_ms = 1_750_000_000_000
    assert found == [
        [
            (0, time_ms, b"key", b"value 0", [("\ufffd\ufffd", b"v")]),
            (1, time_ms, b"key", b"value 1", [("known", b"v")]),
        ],
        [(0, time_ms, b"key", b"value 0", [("known", b"v")])],
    ]
    assert (records.next_batch(), records.size_in_bytes()) == (None, len(fetched(CODECS[codec])))


def test_the_mend_is_needed() -> None:
    """Without it aiokafka fails at such a name, each time anew; should it not, the mend can go."""
    records = MemoryRecords(fetched(0))
    batch = records.next_batch()
    assert batch is not None
    for _ in range(2):
        with pytest.raises(UnicodeDecodeError):
            next(iter(batch))


def test_consumers_read_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """What aiokafka's fetcher makes of an answer is what knows such names."""
    monkeypatch.setattr(fetcher, "MemoryRecords", MemoryRecords)
    mend_reading()
    assert fetcher.MemoryRecords is Records


def plain(magic: int) -> bytes:
    """A batch of one record, in a format of Kafka's."""
    if magic == 2:
        return fetched(0)
    builder = LegacyRecordBatchBuilder(magic, 0, 1 << 20)
    builder.append(0, 1_750_000_000_000, b"key", b"value")
    return bytes(builder.build())


@pytest.mark.parametrize("magic", [1, 2])
def test_a_changed_byte_is_seen(magic: int) -> None:
    """The checksum is told of what was written, and of no other bytes, in today's format and the one before."""
    written = plain(magic)
    whole = Records(written).next_batch()
    assert whole is not None
    assert whole.validate_crc()
    for at in range(30, len(written) // 2, 7):
        changed = bytearray(written)
        changed[at] ^= 1
        batch = Records(bytes(changed)).next_batch()
        assert batch is not None
        assert not batch.validate_crc()
