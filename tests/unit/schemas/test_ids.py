"""Ids: UUIDv7 in pools, and hashes of the application's own."""

from __future__ import annotations

import random
import uuid

import pytest

from driftline.schemas.ids import id_of, new_ids


def pool(n: int, now_ms: int = 1_700_000_000_123) -> list[uuid.UUID]:
    """Return a seeded pool of ids."""
    data = new_ids(n, now_ms, random.Random(n).randbytes(8 * n))
    return [uuid.UUID(bytes=data[at : at + 16]) for at in range(0, len(data), 16)]


def test_every_id_is_a_uuid_of_version_seven() -> None:
    """Version, variant and time stand where RFC 9562 puts them."""
    for each in pool(1_000):
        assert (each.version, each.variant) == (7, uuid.RFC_4122)
        assert each.int >> 80 == 1_700_000_000_123


def test_a_pool_sorts_as_it_was_made() -> None:
    """Within a pool of up to 4,096 ids each is greater than the one before."""
    ids = pool(4_096)
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_ids_of_a_large_pool_are_unique() -> None:
    """Beyond 4,096 the random bits keep ids apart."""
    assert len(set(pool(20_000))) == 20_000


def test_an_empty_pool_is_empty() -> None:
    """No ids, no bytes."""
    assert new_ids(0, 0, b"") == b""


@pytest.mark.parametrize(("n", "now_ms", "size"), [(-1, 0, 8), (1, -1, 8), (1, 1 << 48, 8), (2, 0, 15)])
def test_what_makes_no_ids_is_an_error(n: int, now_ms: int, size: int) -> None:
    """A negative count, a time outside 48 bits and too few random bytes are errors, never weak ids."""
    with pytest.raises(ValueError, match="cannot make"):
        new_ids(n, now_ms, bytes(size))


def test_hashes_are_those_of_xxhash() -> None:
    """The hash of the empty text is the one in xxHash's own tests, big-endian."""
    assert id_of("").hex() == "99aa06d3014798d86001c324468d497f"
    assert id_of("é") != id_of("e")
    assert len(id_of("UA-1545")) == 16
