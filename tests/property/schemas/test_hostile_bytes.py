"""Bytes from anyone: refused with a reason, or a batch that keeps every rule; little memory either way."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from examples import many
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.schemas import codec
from driftline.schemas.columns import pack_labels, pack_predictions, read_labels, read_predictions
from driftline.schemas.refusal import REASONS, Refused

Strategies = dict[str, st.SearchStrategy[Any]]
Read = Callable[[bytes], Any]
FACES: tuple[tuple[Read, Callable[[Any], bytes]], ...] = (
    (read_predictions, pack_predictions),
    (read_labels, pack_labels),
)
# Counts and lengths to claim: 2^60, 2^63 - 1, -2^63, and a number that never ends.
CLAIMS = tuple(
    bytes.fromhex(digits) for digits in ("80" * 8 + "20", "fe" + "ff" * 8 + "01", "ff" * 9 + "01", "ff" * 12)
)
MEGABYTES = 1_000_000


def outcome(read: Read, data: bytes) -> Any:
    """Return what is read, or the refusal; any other error is the test's."""
    try:
        return read(data)
    except Refused as refused:
        return refused


def survives(data: bytes) -> None:
    """Read bytes as predictions and as labels; what is read must keep every rule, which packing checks."""
    for read, pack in FACES:
        found = outcome(read, data)
        if isinstance(found, Refused):
            assert found.reason in REASONS
            assert found.detail
        else:
            pack(found)


@settings(max_examples=many(300))
@given(st.binary(max_size=200), st.sampled_from(sorted(codec.catalog().by_fingerprint)))
def test_any_bytes_behind_a_true_header_are_survived(body: bytes, fingerprint: bytes) -> None:
    """Random bodies under each of our fingerprints are refused or read."""
    survives(codec.MAGIC + fingerprint + body)


@given(st.binary(max_size=40))
def test_any_bytes_are_survived(data: bytes) -> None:
    """Random bytes are refused."""
    survives(data)


def mutated(data: bytes, generator: random.Random) -> bytes:
    """Return a message with one to four small faults behind its header."""
    out = bytearray(data)
    for _ in range(generator.choice((1, 1, 2, 4))):
        start = min(codec.HEADER_BYTES, len(out))
        at = generator.randint(start, max(start, len(out) - 1))
        fault = generator.randrange(5)
        if fault == 0:
            out[at : at + 1] = generator.randbytes(1)
        elif fault == 1:
            out[at:at] = generator.choice(CLAIMS)
        elif fault == 2:
            del out[at : at + generator.randrange(1, 9)]
        elif fault == 3:
            out[at:at] = generator.randbytes(generator.randrange(1, 9))
        else:
            out[at : at + 1] = bytes([(out + b"\0")[at] ^ 1 << generator.randrange(8)])
    return bytes(out)


@pytest.mark.parametrize("kind", ["predictions", "labels"])
def test_mutations_of_good_bytes_are_survived(kind: str, strategies: Strategies) -> None:
    """A good message with flipped bits, cuts, insertions and absurd counts is refused or read."""
    pack: Callable[[Any], bytes] = pack_predictions if kind == "predictions" else pack_labels

    @settings(max_examples=many(100))
    @given(strategies[kind], st.integers(0, 2**32))
    def holds(cols: object, seed: int) -> None:
        data, generator = pack(cols), random.Random(seed)
        for _ in range(20):
            survives(mutated(data, generator))

    holds()


PLAIN: dict[str, dict[str, Any]] = {
    "Prediction": {
        "deployment": "arrivals",
        "model_version": "1",
        "id": "UA-1545",
        "time_ms": 5,
        "features": {"temp": 1.0, "hour": 3, "rain": True, "carrier": "UA", "gust": None},
        "scores": {"late": 0.5},
    },
    "Label": {"deployment": "arrivals", "id": bytes(16), "known_at_ms": 5, "value": 1.0},
}


@pytest.mark.parametrize("record_type", PLAIN)
@given(seed=st.integers(0, 2**32))
def test_mutations_of_plain_records_are_survived(record_type: str, seed: int) -> None:
    """The same holds for the plain records."""
    data, generator = codec.encode(record_type, PLAIN[record_type]), random.Random(seed)
    for _ in range(20):
        survives(mutated(data, generator))


def text(value: bytes) -> bytes:
    """Return Avro's bytes or string of fewer than 64 bytes."""
    return bytes([2 * len(value)]) + value


HEAD = (
    codec.MAGIC
    + codec.fingerprint("PredictionBatch")
    + b"".join(map(text, (b"d", b"v", b"champion")))
    + bytes(3)  # no instance, epoch 0, seq 0
    + b"\x02"  # one row
    + text(bytes(16))
    + bytes(2)  # no original ids, time base 0
    + text(bytes(4))
)
# 330,000 as Avro's varint, then items of zero bytes: the most objects that a megabyte can ask for.
MANY = bytes([0xA0, 0xA4, 0x28])


@pytest.mark.parametrize(
    "body",
    [claim + bytes(100) for claim in CLAIMS]
    + [bytes(skipped) + MANY + bytes(999_000 - len(HEAD)) for skipped in range(3)],
)
def test_absurd_counts_cost_little_memory(body: bytes) -> None:
    """A count of 2^60 is refused at once, and no message of a megabyte costs more than 100."""
    assert len(HEAD + body) <= codec.max_bytes("PredictionBatch")
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            read_predictions(HEAD + body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 * MEGABYTES
