"""Counters as bytes: what is not zero, in as few bytes as the greatest value needs, compressed.

    byte 0        format: 1; 2 with a part of splits
    bytes 1-32    sha256 of the profile; zeros without one
    bytes 33-36   length of the body, uint32 little-endian
    rest          the body, zstd

In format 2 the length of the body, compressed, follows the header, as another uint32; after the body come the splits:

    byte 0        format of this part, 1
    bytes 1-4     length of its body, uint32 little-endian
    rest          its body, zstd: of each split the indexes of its segment and column, then its table as below

The body is a row of sections, each a uint32 count, a width byte and as many little-endian integers:
scalars (rows, extra, whether there are times, first, last); which cells, quality entries and latency
bins are not zero, as a bitmap; then their values. Without a profile, earlier releases counted no column at
all; their tables of no columns are read as zeros.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import cramjam
import numpy as np

from driftline.streams.windows.kernel import LATENCY_BINS

FORMAT: Final = 1
WITH_SPLITS: Final = 2
SPLITS_FORMAT: Final = 1
_HEADER: Final = struct.Struct("<B32sI")
_LENGTH: Final = struct.Struct("<I")
_PART: Final = struct.Struct("<BI")
_SPLITS_MAX: Final = 1 << 24
"""Bytes that the splits of eight segments take at most, far from it."""
_SECTION: Final = struct.Struct("<IB")
_LEVEL: Final = 3
_WIDTHS: Final = (1, 2, 4, 8)

Scalars: TypeAlias = tuple[int, int, int | None, int | None]


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What counters hold: the digest of their profile; rows, extra, first_ms, last_ms; their tables; and splits."""

    digest: str
    scalars: Scalars
    table: np.ndarray
    quality: np.ndarray
    latency: np.ndarray | None
    splits: Mapping[tuple[int, int], np.ndarray] = field(default_factory=dict)


def pack(content: Content) -> bytes:
    """Give the bytes; sums must be in canonical form."""
    rows, extra, first_ms, last_ms = content.scalars
    timed = first_ms is not None and last_ms is not None
    scalars = np.array([rows, extra, timed, first_ms or 0, last_ms or 0], np.int64)
    latency = np.zeros(0, np.int64) if content.latency is None else content.latency
    body = b"".join(
        [
            _section(scalars),
            *_sparse(content.table),
            *_sparse(content.quality.reshape(1, -1)),
            *_sparse(latency.reshape(1, -1)),
        ]
    )
    digest, packed = bytes.fromhex(content.digest), bytes(cramjam.zstd.compress(body, level=_LEVEL))
    splits = {pair: split for pair, split in sorted(content.splits.items()) if split.any()}
    if not splits:
        return _HEADER.pack(FORMAT, digest, len(body)) + packed
    header = _HEADER.pack(WITH_SPLITS, digest, len(body))
    return header + _LENGTH.pack(len(packed)) + packed + _pack_splits(splits)


def unpack(
    data: bytes,
    digest: str,
    table: tuple[int, ...],
    quality: tuple[int, ...],
    split: Callable[[tuple[int, int]], tuple[int, int]],
) -> Content:
    """Read what `pack` wrote, for tables of these shapes; `split` gives that of a split, or IndexError.

    Raises:
        ValueError: with a sentence, when the bytes are of another format or profile, or damaged.
    """
    if len(data) < _HEADER.size:
        raise ValueError(f"{len(data)} bytes are too few for counters")
    form, held, length = _HEADER.unpack_from(data)
    if form not in (FORMAT, WITH_SPLITS):
        raise ValueError(f"format {form} is not known to this release, which reads formats 1 and 2")
    if held != bytes.fromhex(digest).ljust(32, b"\0"):
        raise ValueError(f"they were counted against profile {held.hex()[:12]}, not {digest[:12] or 'none'}")
    # Every section at its widest; a body that claims more is damaged, and must not be unpacked into memory.
    cells = int(np.prod(table)) + int(np.prod(quality)) + LATENCY_BINS
    if length > 9 * cells + 4096:
        raise ValueError(f"a body of {length} bytes is larger than any of this profile")
    try:
        packed, rest = _parts(memoryview(data)[_HEADER.size :], form)
        sections = _sections(_unzipped(packed, length))
        rows, extra, timed, first_ms, last_ms = (int(value) for value in next(sections))
        content = Content(
            digest=digest,
            scalars=(rows, extra, first_ms if timed else None, last_ms if timed else None),
            table=_dense(sections, table, may_lack=not digest),
            quality=_dense(sections, (1, int(np.prod(quality))), may_lack=not digest).reshape(quality),
            latency=_latency(sections),
            splits=_unpack_splits(rest, split),
        )
    except (cramjam.DecompressionError, StopIteration, struct.error, ValueError, IndexError) as error:
        raise ValueError(f"damaged bytes ({error})") from error
    return content


def _parts(data: memoryview, form: int) -> tuple[memoryview, memoryview]:
    """The packed body and what follows it."""
    if form == FORMAT:
        return data, data[:0]
    (size,) = _LENGTH.unpack_from(data)
    return data[_LENGTH.size : _LENGTH.size + size], data[_LENGTH.size + size :]


def _unzipped(packed: memoryview, length: int) -> bytes:
    body = bytearray(length)
    cramjam.zstd.decompress_into(packed, body)
    return bytes(body)


def _pack_splits(splits: Mapping[tuple[int, int], np.ndarray]) -> bytes:
    parts = []
    for pair, split in splits.items():
        parts += [_section(np.array(pair, np.int64)), *_sparse(split.reshape(1, -1))]
    body = b"".join(parts)
    return _PART.pack(SPLITS_FORMAT, len(body)) + bytes(cramjam.zstd.compress(body, level=_LEVEL))


def _unpack_splits(
    data: memoryview, shape_of: Callable[[tuple[int, int]], tuple[int, int]]
) -> dict[tuple[int, int], np.ndarray]:
    if not len(data):
        return {}
    form, length = _PART.unpack_from(data)
    if form != SPLITS_FORMAT or length > _SPLITS_MAX:
        raise ValueError(f"splits of format {form} and {length} bytes, where format {SPLITS_FORMAT} is read")
    found: dict[tuple[int, int], np.ndarray] = {}
    sections = _sections(_unzipped(data[_PART.size :], length))
    for pair in sections:
        segment, column = (int(index) for index in pair)
        if segment < 0 or column < 0:
            raise ValueError(f"a split of columns {segment} and {column}")
        shape = shape_of((segment, column))
        flat = _dense(sections, (1, shape[0] * shape[1]), may_lack=False)
        found[segment, column] = flat.reshape(shape)
    return found


def _sparse(table: np.ndarray) -> list[bytes]:
    """Bitmap of the columns that are not all zero, then those columns, row after row."""
    used = table.any(axis=0)
    bitmap = np.packbits(used).astype(np.int64)
    return [_section(np.array([table.shape[1]])), _section(bitmap), *(_section(row[used]) for row in table)]


def _dense(sections: Iterator[np.ndarray], shape: tuple[int, ...], *, may_lack: bool) -> np.ndarray:
    columns = int(next(sections)[0])
    if columns != shape[1] and (columns or not may_lack):
        raise ValueError(f"{columns} columns where the profile has {shape[1]}")
    bits = np.unpackbits(next(sections).astype(np.uint8), count=columns).astype(bool)
    used = bits if columns else np.zeros(shape[1], bool)
    table = np.zeros(shape, np.int64)
    for row in table:
        row[used] = next(sections)
    return table


def _latency(sections: Iterator[np.ndarray]) -> np.ndarray | None:
    columns = int(next(sections)[0])
    if columns not in (0, LATENCY_BINS):
        raise ValueError(f"{columns} latency bins where there are {LATENCY_BINS}")
    if columns == 0:
        return None
    used = np.unpackbits(next(sections).astype(np.uint8), count=columns).astype(bool)
    sketch = np.zeros(columns, np.int64)
    sketch[used] = next(sections)
    return sketch


def _section(values: np.ndarray) -> bytes:
    least, greatest = (int(values.min()), int(values.max())) if values.size else (0, 0)
    for width in _WIDTHS:
        bound = 1 << (8 * width - 1)
        if -bound <= least and greatest < bound:
            break
    return _SECTION.pack(values.size, width) + values.astype(f"<i{width}").tobytes()


def _sections(body: bytes) -> Iterator[np.ndarray]:
    at = 0
    while at < len(body):
        count, width = _SECTION.unpack_from(body, at)
        at += _SECTION.size
        if width not in _WIDTHS:
            raise ValueError(f"integers of {width} bytes")
        yield np.frombuffer(body, f"<i{width}", count, at).astype(np.int64)
        at += count * width
