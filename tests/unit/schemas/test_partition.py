"""murmur2 as Kafka has it."""

from __future__ import annotations

import pytest

from driftline.schemas.partition import murmur2, partition_of

# org.apache.kafka.common.utils.UtilsTest#testMurmur2, signed as Java prints them.
KAFKA_VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "signed"), KAFKA_VECTORS.items())
def test_murmur2_has_kafkas_values(key: bytes, signed: int) -> None:
    """The vectors of Kafka's own test hold."""
    assert murmur2(key) == signed & 0xFFFFFFFF


def test_a_negative_hash_is_masked_as_java_masks_it() -> None:
    """The sign bit is cleared before the remainder: toPositive, not abs."""
    assert partition_of(b"21", 7) == (-973932308 & 0x7FFFFFFF) % 7


def test_a_topic_without_partitions_is_an_error() -> None:
    """No key has a place among no partitions."""
    with pytest.raises(ValueError, match="at least one partition"):
        partition_of(b"x", 0)
