"""Kafka's default partitioner, murmur2 of the key: Java, librdkafka (`murmur2_random`), aiokafka, Faust."""

from __future__ import annotations

import functools
from typing import Final

_M: Final = 0x5BD1E995
_SEED: Final = 0x9747B28C
_WORD: Final = 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """32-bit murmur2 of a key, unsigned, with Kafka's seed (org.apache.kafka.common.utils.Utils.murmur2)."""
    length = len(key)
    value = (_SEED ^ length) & _WORD
    whole = length & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(key[at : at + 4], "little") * _M & _WORD
        word = (word ^ word >> 24) * _M & _WORD
        value = value * _M & _WORD ^ word
    if whole < length:
        value = (value ^ int.from_bytes(key[whole:], "little")) * _M & _WORD
    value = (value ^ value >> 13) * _M & _WORD
    return value ^ value >> 15


@functools.lru_cache(maxsize=4_096)
def partition_of(key: bytes, count: int) -> int:
    """The partition, 0 to count - 1, where Kafka's default partitioner puts a key.

    Raises ValueError for a count below 1. The last 4,096 answers are kept: a worker asks once a message,
    and has few deployments.
    """
    if count < 1:
        message = f"a topic has at least one partition, not {count}"
        raise ValueError(message)
    return (murmur2(key) & 0x7FFFFFFF) % count
