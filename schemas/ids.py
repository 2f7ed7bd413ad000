"""Prediction ids: 16 bytes, either a UUIDv7 made here or the 128-bit xxh3 of the application's own id."""

from __future__ import annotations

import uuid
from typing import Final

import numpy as np
import xxhash

ID_BYTES: Final = 16
RANDOM_BYTES_PER_ID: Final = 8
_MAX_MS: Final = 1 << 48
_COUNTER_VALUES: Final = 1 << 12


def new_ids(n: int, now_ms: int, random: bytes) -> bytes:
    """Make n UUIDv7 (RFC 9562, section 5.7) from a time and random bytes; returns n * 16 bytes, id after id.

    `now_ms` is milliseconds since 1970 UTC; `random` holds at least 8 * n bytes (`os.urandom(8 * n)`), which
    make 62 random bits an id. The 12 bits after the time rise evenly over the pool (RFC 9562, section 6.2,
    method 1), so ids sort in the order in which they were made: strictly up to 4,096 a call, in equal steps
    beyond. Raises ValueError for a negative n, a time outside 48 bits or too few random bytes.
    """
    if n < 0 or not 0 <= now_ms < _MAX_MS or len(random) < n * RANDOM_BYTES_PER_ID:
        message = f"cannot make {n} ids at {now_ms} ms from {len(random)} random bytes; 8 an id are needed"
        raise ValueError(message)
    words = np.empty((n, 2), dtype=">u8")
    counter = np.arange(n, dtype=np.uint64) * np.uint64(_COUNTER_VALUES) // np.uint64(max(n, 1))
    words[:, 0] = np.uint64(now_ms << 16 | 0x7000) | counter
    low = np.frombuffer(random, dtype="<u8", count=n)
    words[:, 1] = (low & np.uint64(0x3FFF_FFFF_FFFF_FFFF)) | np.uint64(1 << 63)
    return words.tobytes()


def id_of(original: str) -> bytes:
    """The 16 bytes that stand for an application's own id: xxh3_128 of its UTF-8, big-endian.

    That is xxHash's canonical form. Raises UnicodeEncodeError for a lone surrogate, which UTF-8 cannot carry.
    """
    return xxhash.xxh3_128_digest(original.encode("utf-8"))


def ids_named(text: str) -> tuple[bytes, ...]:
    """Give the ids that a text may stand for: an application's own id, and of a UUID that id itself too.

    >>> [len(one) for one in ids_named("order-7")], len(ids_named("01890000-0000-7000-8000-00000000000a"))
    ([16], 2)
    """
    try:
        own = id_of(text)
    except UnicodeEncodeError:
        return ()
    try:
        made = uuid.UUID(text)
    except ValueError:
        return (own,)
    return (own, made.bytes)
