"""What a message that holds a prediction to be forgotten has in it."""

from __future__ import annotations

from archiving import batch

from driftline.schemas.columns import pack_predictions
from driftline.schemas.ids import ids_named
from driftline.streams.clickhouse.forgetting import needles


def test_a_sealed_batch_holds_the_id_and_the_text() -> None:
    """Both are found in the bytes of a batch with an application's own id, however short."""
    data = pack_predictions(batch(original_ids=["order-12345", "b", None]))
    for row, text in enumerate(("order-12345", "b")):
        own, *_ = ids_named(text)
        assert needles(own, text)[1] in data
        assert needles(batch().ids[row].tobytes(), text)[0] not in data


def test_a_short_text_is_not_looked_for_anywhere() -> None:
    """One letter is in every message; with the length that Avro writes before it, in few."""
    assert needles(bytes(16), "b")[1] == b"\x02b"
