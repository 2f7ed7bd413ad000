"""True and false as inputs of a challenger, and classes that it answers with: what is none is an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from challenged import ROWS, Flags, Texts, Told, ToldOfFlags, events, statuses

from driftline.agents.challenger.scoring import LONGEST_CLASS, Scorer
from driftline.schemas.columns import pack_predictions, read_predictions
from driftline.schemas.shapes import Category


def test_true_and_false_come_as_an_emitter_tells_of_them() -> None:
    """As a category of two words; another word is null, and costs its row alone; other texts are warned of."""
    said: list[str] = []
    paid = Category("paid", ("true", "false", "maybe"), np.array([0, 1, 2, -1], np.int32))
    given = events(features=[], categories=[paid], scores=[], gaps=[])
    scorer = Scorer(ToldOfFlags(), Flags(), lambda: 0.0, said.append)  # type: ignore[arg-type]
    assert statuses(scorer.answer(given)) == ["ok", "ok", "error", "error"]
    assert said == []
    numbers = Category("n", ("1", "2"), np.zeros(ROWS, np.int32))
    country = Category("country", ("fr",), np.zeros(ROWS, np.int32))
    other = events(features=[], categories=[numbers, country], scores=[], gaps=[])
    scorer = Scorer(Told(), Texts(), lambda: 0.0, said.append)  # type: ignore[arg-type]
    assert statuses(scorer.answer(other)) == ["error"] * ROWS
    assert "have texts in the column 'n', of which texts 2 takes numbers" in said[0]


@pytest.mark.parametrize("word", ["\ud800", None, 5, b"bytes", np.str_("numpy's")])
def test_a_class_that_is_no_text_is_an_error(word: Any) -> None:
    """As it is in serving, whatever the model answers it with."""
    paid = Category("paid", ("true",), np.zeros(ROWS, np.int32))
    given = events(features=[], categories=[paid], scores=[], gaps=[])
    answered = Scorer(ToldOfFlags(), Flags(word), lambda: 0.0).answer(given)  # type: ignore[arg-type]
    assert statuses(answered) == ["error"] * ROWS
    assert read_predictions(pack_predictions(answered)).rows == ROWS


def test_a_class_that_is_too_long_is_an_error_of_its_row() -> None:
    """The other rows have their answers."""

    class Long(Flags):
        def predict(self, inputs: Any) -> Any:
            label = np.empty(len(inputs["paid"]), object)
            label[:] = ["yes"] * len(label)
            label[1] = "x" * (LONGEST_CLASS + 1)
            return {"label": label}

    paid = Category("paid", ("true",), np.zeros(ROWS, np.int32))
    given = events(features=[], categories=[paid], scores=[], gaps=[])
    answered = Scorer(ToldOfFlags(), Long(), lambda: 0.0).answer(given)  # type: ignore[arg-type]
    assert statuses(answered) == ["ok", "error", "ok", "ok"]
    assert answered.predicted is not None
    assert answered.predicted.levels == ("yes",)
