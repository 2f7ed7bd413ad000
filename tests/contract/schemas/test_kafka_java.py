"""Kafka's own Java producer puts every key where ours says."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from driftline.schemas.partition import murmur2, partition_of

Ask = Callable[[Sequence[str]], list[str]]


def test_java_hashes_and_places_keys_as_we_do(kafka_java: Ask) -> None:
    """Utils.murmur2 and BuiltInPartitioner agree with ours: 4,000 keys of 0 to 70 bytes."""
    generator = random.Random(20_130_101)
    keys = [generator.randbytes(generator.randrange(71)) for _ in range(4_000)]
    counts = [generator.randrange(1, 201) for _ in keys]
    answers = kafka_java([f"{key.hex()}\t{count}" for key, count in zip(keys, counts, strict=True)])
    ours = [f"{murmur2(key)}\t{partition_of(key, count)}" for key, count in zip(keys, counts, strict=True)]
    assert answers == ours
