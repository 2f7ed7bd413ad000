"""CloudEvents as rows: numbers are what their tensors say, and what contradicts itself is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from driftline.agents.serving.cloudevents import REQUEST, RESPONSE, Pair, Pairs, rows_of
from driftline.agents.serving.errors import AnswerError


def test_whole_numbers_of_a_float_tensor_are_scores() -> None:
    """Some servers write 1.0 as 1: a tensor of floats is one whatever its numbers look like, and no class is told."""
    asked = {"inputs": [{"name": "a", "datatype": "FP32", "shape": [2, 1], "data": [1, 2.5]}]}
    scores = {"name": "p", "datatype": "FP64", "shape": [2, 2], "data": [0.5, 0.5, 1, 0]}
    label = {"name": "label", "datatype": "INT64", "shape": [2], "data": [1, 0]}
    found = rows_of(json.dumps(asked).encode(), json.dumps({"outputs": [scores, label]}).encode())
    assert found.scores == {"p_0": [0.5, 1.0], "p_1": [0.5, 0.0]}
    assert (found.predicted, found.columns) == ([1, 0], {"a": [1.0, 2.5]})
    told = rows_of(b'{"instances": [1, 2]}', b'{"predictions": [1, 0.5]}')
    assert (told.scores, told.predicted) == ({"prediction": [1.0, 0.5]}, None)
    untyped = b'{"outputs": [{"name": "p", "datatype": null, "shape": [2], "data": [1, 0.5]}]}'
    assert rows_of(json.dumps(asked).encode(), untyped).scores == {"p": [1.0, 0.5]}
    gaps = b'{"outputs": [{"name": "p", "datatype": "FP64", "shape": [2], "data": [null, 0.5]}]}'
    told = rows_of(json.dumps(asked).encode(), gaps)
    assert (str(told.scores["p"]), told.predicted) == ("[nan, 0.5]", None)
    gaps = {"outputs": [{"name": "p", "datatype": "FP32", "shape": [2], "data": [None, None]}, label]}
    told = rows_of(json.dumps(asked).encode(), json.dumps(gaps).encode())
    assert (str(told.scores["p"]), told.predicted) == ("[nan, nan]", [1, 0])
    told = rows_of(b'{"instances": [1, 2]}', b'{"predictions": [1, 0]}')
    assert (told.scores, told.predicted) == ({}, [1, 0])
    told = rows_of(b'{"instances": [1, 2]}', b'{"predictions": [null, null]}')
    assert (str(told.scores["prediction"]), told.predicted) == ("[nan, nan]", None)
    with pytest.raises(AnswerError, match="a whole number that no float takes"):
        rows_of(b'{"instances": [0.5, 1%s]}' % (b"0" * 400), b"{}")


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([("a", [2, 2], [1, 2, 3, 4]), ("a_1", [2], [5, 6])], "two columns 'a_1'"),
        ([("a", [3, 2], [1, 2, 3, 4])], "has 4 values; its shape is [3, 2]"),
    ],
)
def test_tensors_that_contradict_themselves_are_refused(inputs: list[Any], said: str) -> None:
    """A column is written over by no other, and no row is made of what was another's."""
    tensors = [{"name": name, "shape": shape, "data": data} for name, shape, data in inputs]
    with pytest.raises(AnswerError) as refused:
        rows_of(json.dumps({"inputs": tensors}).encode(), b"{}")
    assert said in refused.value.sentence


@pytest.mark.parametrize(
    "kind", [b"application/cloudevents+json", b"Application/CloudEvents+JSON; charset=UTF-8"]
)
def test_a_structured_event_carries_its_payload_as_json_or_base64(kind: bytes) -> None:
    """Whatever the case of its content type."""
    asked = {"inputs": [{"name": "a", "datatype": "FP32", "shape": [1, 1], "data": [1.5]}]}
    told = base64.b64encode(b'{"outputs": []}').decode()
    pairs, headers = Pairs(), [(b"content-type", kind)]

    def event(**fields: Any) -> Pair | None:
        return pairs.take("churn", headers, json.dumps({"id": "a", **fields}).encode(), 0.0)

    assert event(type=REQUEST, data=asked) is None
    pair = event(type=RESPONSE, data_base64=told)
    assert pair is not None
    assert (json.loads(pair.request), pair.response) == (asked, b'{"outputs": []}')
    for wrong in ("no base64", "é", None, 3):
        with pytest.raises(AnswerError, match="the data_base64 of the event is no base64"):
            event(type=REQUEST, data_base64=wrong)
