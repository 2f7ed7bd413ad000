"""Events of a champion, and small models that answer them, for tests of challengers."""

from __future__ import annotations

from typing import Any

import numpy as np

from driftline.agents.serving.package.tensors import Tensor
from driftline.schemas.shapes import Gap, Identity, NumericBlock, PredictionColumns

ROWS = 4


def events(**over: Any) -> PredictionColumns:
    """Four events of the champion with one column more than the package takes."""
    given: dict[str, Any] = {
        "deployment": "churn",
        "model_version": "1",
        "slot": "champion",
        "rows": ROWS,
        "identity": Identity("here", 7, 5),
        "ids": np.arange(16 * ROWS, dtype=np.uint8).reshape(ROWS, 16),
        "original_ids": ["a", "b", None, "d"],
        "times_ms": np.arange(ROWS, dtype=np.int64),
        "features": [
            NumericBlock(("age", "other"), np.arange(2 * ROWS, dtype=np.float32).reshape(2, ROWS)),
            NumericBlock(("visits", "income"), np.ones((2, ROWS))),
        ],
        "scores": [NumericBlock(("score",), np.full((1, ROWS), 0.5))],
        "gaps": [Gap("score", None, None)],
        "latency_ms": np.ones(ROWS, np.float32),
    }
    return PredictionColumns(**{**given, **over})


def statuses(cols: PredictionColumns) -> list[str]:
    """The status of each row."""
    assert cols.status is not None
    return [cols.status.levels[code] for code in cols.status.codes]


class Texts:
    """A model of one text and one whole number, which raises when told to."""

    inputs = (
        Tensor(name="country", datatype="BYTES", shape=(-1, 1)),
        Tensor(name="n", datatype="INT64", shape=(-1, 1)),
    )
    outputs = (Tensor(name="label", datatype="INT64", shape=(-1,)),)

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails

    def predict(self, inputs: Any) -> Any:
        """Answer 1 for France, else 0."""
        if self.fails:
            raise RuntimeError("no")
        return {"label": (inputs["country"].ravel() == "fr").astype(np.int64)}

    def close(self) -> None:
        """Nothing is held."""


class Told:
    """The part of a manifest that scoring reads."""

    title, version = "texts 2", "2"
    inputs, outputs = Texts.inputs, Texts.outputs
    columns, scores, predicted = ("country", "n"), (), "label"


class Flags(Texts):
    """A model of true and false, which answers a text."""

    inputs = (Tensor(name="paid", datatype="BOOL", shape=(-1, 1)),)
    outputs = (Tensor(name="label", datatype="BYTES", shape=(-1,)),)

    def __init__(self, word: Any = "yes") -> None:
        self.word = word

    def predict(self, inputs: Any) -> Any:
        """Answer the same word to all."""
        held = np.empty(len(inputs["paid"]), object)
        held[:] = [self.word] * len(held)
        return {"label": held}


class ToldOfFlags(Told):
    """As a manifest of it says."""

    inputs, outputs, columns = Flags.inputs, Flags.outputs, ("paid",)
