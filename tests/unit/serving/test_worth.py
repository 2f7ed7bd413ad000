"""What an answer is worth: to whoever asked, and row by row in the events; what cannot be asked is refused before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served import Kept, agent, loaded, manifest, request
from wired import Line, posted, run

from driftline.agents.serving.agent import Agent
from driftline.agents.serving.package.errors import InputError
from driftline.agents.serving.package.manifest import Score
from driftline.agents.serving.package.tensors import Tensor
from driftline.agents.serving.slots import Slots
from driftline.agents.serving.v2 import Ask
from driftline.agents.serving.worth import ERROR, OK, Worth

WORTH = Worth(
    manifest(
        outputs=(
            Tensor(name="p", datatype="FP32", shape=(-1, 2)),
            Tensor(name="other", datatype="FP64", shape=(-1, 1)),
            Tensor(name="half", datatype="FP16", shape=(-1, 1)),
            Tensor(name="word", datatype="BYTES", shape=(-1, 1)),
        ),
        scores=(Score(name="score", output="p", column=1),),
    )
)
BINARY, ALL = Ask("", {}, is_binary=True), Ask("", {})
ONLY_OTHER = Ask("", {}, wanted={"other": False})
GOOD = [1.0, 1.0]


def outputs(p: list[float], other: list[float], words: Any = "fine") -> dict[str, Any]:
    """Return an answer of as many rows."""
    held = np.empty((len(p), 1), object)
    held[:] = words
    return {
        "p": np.array([[0.5, one] for one in p], np.float32),
        "other": np.array([[one] for one in other]),
        "half": np.ones((len(p), 1), np.float16),
        "word": held,
    }


@pytest.mark.parametrize(
    ("ask", "p", "other", "wanted"),
    [
        (ALL, GOOD, GOOD, OK),
        (BINARY, GOOD, [np.nan, 1.0], OK),
        (ALL, GOOD, [np.nan, 1.0], ERROR),
        (ALL, [1.0, np.inf], GOOD, ERROR),
        (BINARY, [1.0, np.nan], GOOD, [OK, ERROR]),
        (BINARY, [-np.inf, np.nan], GOOD, ERROR),
        (ONLY_OTHER, [np.nan, 1.0], GOOD, [ERROR, OK]),
        (ONLY_OTHER, GOOD, [1.0, np.nan], ERROR),
        (ALL, [3e38, 3e38], [1.7e308, 1.7e308], OK),
    ],
)
def test_an_answer_is_worth_what_can_be_sent_and_scored(
    ask: Ask, p: list[float], other: list[float], wanted: Any
) -> None:
    """NaN in JSON spoils the whole answer, in a score its row; elsewhere, sent binary, nothing."""
    assert WORTH.of(ask, outputs(p, other), 2) == wanted
    assert WORTH.of(ask, {name: array[:0] for name, array in outputs(p, other).items()}, 0) == OK


@pytest.mark.parametrize("word", ["\ud800", None, 5, b"bytes", np.str_("numpy's")])
def test_a_text_is_a_text(word: Any) -> None:
    """What is none, or cannot be written, is the version's own failure, for which a canary falls back."""
    with pytest.raises(InputError, match="its answer 'word' holds"):
        WORTH.of(ALL, outputs(GOOD, GOOD, word), 2)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (ALL, "the output 'half' is FP16"),
        (Ask("", {}, wanted={"half": False}), "the output 'half' is FP16"),
        (Ask("", {}, wanted={"half": True}), None),
        (
            Ask("", {}, wanted={"p": False, "zz": True}),
            "there is no output 'zz'; there are half, other, p, word",
        ),
        (BINARY, None),
    ],
)
def test_what_cannot_be_answered_is_not_asked(ask: Ask, said: str | None) -> None:
    """An output that there is none of, or that JSON does not carry, is the caller's mistake."""
    found = WORTH.unaskable(ask)
    assert found is None if said is None else said in (found or "")


def test_a_callers_mistake_is_no_event(tmp_path: Path) -> None:
    """Nobody adds to the events of a version by asking for what there is none of; the answer is 400."""
    kept = Kept()

    async def whole(made: Agent, line: Line) -> None:
        for _ in range(3):
            status, _, told = await line.ask(posted(request(outputs=[{"name": "zz"}])))
            assert (status, told["error"]) == (400, "there is no output 'zz'; there are p")
        made.recorder.flush()

    run(lambda: agent(tmp_path, kept=kept), whole)
    assert kept.rows == []


@pytest.mark.parametrize("none", [np.nan, np.inf])
def test_each_row_of_a_binary_answer_says_whether_it_was_scored(tmp_path: Path, none: float) -> None:
    """The caller has the whole; the row with NaN or infinity is an error among the others, and has no score."""
    kept = Kept()

    def half(inputs: Any) -> dict[str, Any]:
        scores = np.ones((len(inputs["X"]), 1), np.float32)
        scores[1] = none
        return {"p": scores}

    async def whole(made: Agent, line: Line) -> None:
        body = request(3, parameters={"binary_data_output": True})
        line.writer.write(posted(body))
        head = await line.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        made.recorder.flush()

    run(lambda: agent(tmp_path, kept=kept), whole, half)
    assert [one["status"] for one in kept.rows] == ["ok", "error", "ok"]
    scores = [value for one in kept.rows for value in one["score"].values()]
    assert np.array_equal(scores, [1.0, np.nan, 1.0], equal_nan=True)


def test_a_canary_with_an_output_of_its_own_that_json_does_not_carry_falls_back(tmp_path: Path) -> None:
    """The champion answers as it would alone; the canary has the error."""
    kept = Kept()
    more = (
        Tensor(name="p", datatype="FP32", shape=(-1, 1)),
        Tensor(name="e", datatype="FP16", shape=(-1, 1)),
    )

    def both(inputs: Any) -> dict[str, Any]:
        return {
            "p": np.ones((len(inputs["X"]), 1), np.float32),
            "e": np.ones((len(inputs["X"]), 1), np.float16),
        }

    async def whole(made: Agent, line: Line) -> None:
        slots = Slots(
            champion=loaded("1"), canary=loaded("2", both, outputs=more), rollout_id="r", weight=10_000
        )
        made.swapper("churn").deployment.switch(slots)
        for _ in range(3):
            assert (await line.ask(posted()))[0] == 200
        made.recorder.flush()

    run(lambda: agent(tmp_path, kept=kept), whole)
    assert kept.counts == {("2", "error"): 3, ("1", "ok"): 3}
