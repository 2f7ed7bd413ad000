"""One spool segment on disk: a header that names the life that wrote it, then records, each with its CRC.

    file    = "DRIFTSP1" , u16 bytes of instance , instance , i64 epoch , record*
    record  = u32 bytes of body , u32 CRC-32 of body , body
    body    = i64 seq , i64 ordinal , i64 sealed_ms , i64 oldest_ms , u32 rows , u8 bytes of topic , u16 bytes of key ,
              topic , key , payload

All numbers are little-endian. A record that the end of the file cuts off was never counted as spooled: it is ignored.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from driftline.agents.emit.seal import Sealed

MAGIC: Final = b"DRIFTSP1"
_HEADER: Final = struct.Struct("<H")
_EPOCH: Final = struct.Struct("<q")
_FRAME: Final = struct.Struct("<II")
_META: Final = struct.Struct("<qqqqIBH")
# No message is larger; a length beyond it is damage.
_MOST_BYTES: Final = 16 << 20


class Corrupt(Exception):  # noqa: N818 - the reader skips what is damaged and goes on
    """Bytes that do not match their checksum; `resume` is where the next record begins, None if nobody can know."""

    def __init__(self, sentence: str, resume: int | None) -> None:
        super().__init__(sentence)
        self.resume = resume


class Entry(NamedTuple):
    """A record without its payload: what the books need."""

    topic: str
    rows: int
    seq: int
    ordinal: int
    sealed_ms: int
    oldest_ms: int
    end: int


def header(instance: str, epoch: int) -> bytes:
    """The first bytes of a segment."""
    name = instance.encode()
    return MAGIC + _HEADER.pack(len(name)) + name + _EPOCH.pack(epoch)


def record(sealed: Sealed) -> bytes:
    """One record."""
    topic = sealed.topic.encode()
    meta = _META.pack(
        sealed.seq,
        sealed.ordinal,
        sealed.sealed_ms,
        sealed.oldest_ms,
        sealed.rows,
        len(topic),
        len(sealed.key),
    )
    body = b"".join((meta, topic, sealed.key, sealed.payload))
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def read_header(file: BinaryIO) -> tuple[str, int, int]:
    """Instance, epoch and where the records begin; raises Corrupt for a file that is no segment."""
    file.seek(0)
    magic = file.read(len(MAGIC) + _HEADER.size)
    if len(magic) < len(MAGIC) + _HEADER.size or not magic.startswith(MAGIC):
        raise Corrupt("the file does not begin as a spool segment does", None)
    (length,) = _HEADER.unpack(magic[len(MAGIC) :])
    rest = file.read(length + _EPOCH.size)
    if len(rest) < length + _EPOCH.size:
        raise Corrupt("the file ends within its header", None)
    (epoch,) = _EPOCH.unpack(rest[length:])
    return rest[:length].decode(errors="replace"), epoch, len(magic) + len(rest)


def read_record(file: BinaryIO, at: int) -> tuple[Sealed, int] | None:
    """The record at an offset and where the next begins; None at the end of the file, or where it cuts one off.

    Raises Corrupt when the bytes do not match their checksum.
    """
    body = _body(file, at)
    if body is None:
        return None
    data, crc = body
    end = at + _FRAME.size + len(data)
    if zlib.crc32(data) != crc or len(data) < _META.size:
        raise Corrupt(f"the record at byte {at} does not match its checksum", end)
    seq, ordinal, sealed_ms, oldest_ms, rows, topic_len, key_len = _META.unpack_from(data)
    topic_end = _META.size + topic_len
    key_end = topic_end + key_len
    sealed = Sealed(
        topic=data[_META.size : topic_end].decode(),
        key=data[topic_end:key_end],
        payload=data[key_end:],
        seq=seq,
        rows=rows,
        sealed_ms=sealed_ms,
        oldest_ms=oldest_ms,
        ordinal=ordinal,
    )
    return sealed, end


def entries(path: Path) -> Iterator[Entry]:
    """Every record of a segment without its payload and unchecked, for the books of an adopter; stops at damage."""
    with path.open("rb", buffering=0) as file:
        _, _, at = read_header(file)
        size = path.stat().st_size
        while True:
            file.seek(at)
            frame = file.read(_FRAME.size + _META.size)
            if len(frame) < _FRAME.size + _META.size:
                return
            length, _ = _FRAME.unpack_from(frame)
            at += _FRAME.size + length
            if at > size or not _META.size <= length <= _MOST_BYTES:
                return
            seq, ordinal, sealed_ms, oldest_ms, rows, topic_len, _ = _META.unpack_from(frame, _FRAME.size)
            topic = file.read(topic_len).decode(errors="replace")
            yield Entry(topic, rows, seq, ordinal, sealed_ms, oldest_ms, at)


def _body(file: BinaryIO, at: int) -> tuple[bytes, int] | None:
    file.seek(at)
    frame = file.read(_FRAME.size)
    if len(frame) < _FRAME.size:
        return None
    length, crc = _FRAME.unpack(frame)
    if length > _MOST_BYTES:
        raise Corrupt(f"the record at byte {at} claims {length:,} bytes", None)
    data = file.read(length)
    return None if len(data) < length else (data, crc)
