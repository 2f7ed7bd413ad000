"""What a challenger answered as one message: what does not fit is left out, and counted as it is sent."""

from __future__ import annotations

import numpy as np
import pytest
from challenged import ROWS, events, statuses

from driftline.agents.challenger.packing import packed
from driftline.schemas.codec import DEFAULT_MAX_BYTES
from driftline.schemas.columns import read_predictions
from driftline.schemas.refusal import Refused
from driftline.schemas.shapes import Category, PredictionColumns

STATUS = Category("status", ("ok", "error"), np.array([0, 1, 0, 0], np.int32))


def answered(**over: object) -> PredictionColumns:
    """Four rows that a model answered, one of them with an error."""
    return events(**{"status": STATUS, "gaps": [], **over})


def classes(size: int) -> Category:
    """A class of some length for each row."""
    levels = tuple(str(row) * size for row in range(ROWS))
    return Category("predicted", levels, np.arange(ROWS, dtype=np.int32))


def texts(size: int) -> list[Category]:
    """A feature of some length."""
    return [Category("note", ("n" * size,), np.zeros(ROWS, np.int32))]


def test_what_fits_is_sent_whole() -> None:
    """With its features; the errors of the model are counted."""
    message = packed(answered())
    assert (message.errors, message.why) == (1, None)
    assert len(read_predictions(message.data).features) == len(events().features)


def test_answers_that_are_too_large_go_without_their_features() -> None:
    """Those are in the champion's batch; nothing that was answered is an error for it."""
    message = packed(answered(predicted=classes(100_000), categories=texts(700_000)))
    again = read_predictions(message.data)
    assert (again.categories, again.features, message.errors, message.why) == ([], [], 1, None)
    assert statuses(again) == ["ok", "error", "ok", "ok"]


@pytest.mark.parametrize("size", [10, 999_900])
def test_answers_that_are_no_batch_are_errors_and_counted_as_those(size: int) -> None:
    """All of them, without latency, and with the features where these fit."""
    message = packed(answered(predicted=classes(300_000), categories=texts(size)))
    again = read_predictions(message.data)
    assert statuses(again) == ["error"] * ROWS
    assert message.errors == ROWS
    assert message.why is not None
    assert "too_large" not in message.why
    assert (again.predicted, again.scores) == (None, [])
    assert again.latency_ms is not None
    assert np.isnan(again.latency_ms).all()
    assert len(again.categories) == (1 if size == 10 else 0)


def test_a_batch_that_leaves_no_room_for_an_answer_is_refused() -> None:
    """Ids alone may take what a message may hold: whoever sends such a batch ends no challenger."""
    with pytest.raises(Refused, match="too_large"):
        packed(answered(original_ids=["i" * (DEFAULT_MAX_BYTES // ROWS)] * ROWS))
