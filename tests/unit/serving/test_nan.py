"""NaN of a model: what its caller cannot be sent is an error in the events too, whoever answered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from served import Kept, agent, constant, loaded, until
from wired import Line, posted, run

from driftline.agents.serving.agent import Agent
from driftline.agents.serving.slots import Slots


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("inline_seconds", [0.0, 1.0])
def test_what_cannot_be_sent_is_an_error(tmp_path: Path, value: float, inline_seconds: float) -> None:
    """The caller had a 500: the champion's event has no score and says error, by the loop and by a thread alike."""
    kept = Kept()

    async def whole(made: Agent, line: Line) -> None:
        for _ in range(3):
            status, _, told = await line.ask(posted())
            assert (status, "NaN" in told["error"]) == (500, True)
        made.recorder.flush()

    run(lambda: agent(tmp_path, kept=kept, inline_seconds=inline_seconds), whole, constant(value))
    assert [(one["status"], one["score"]) for one in kept.rows] == [("error", {})] * 3


def test_a_shadow_that_answers_no_number_has_errors(tmp_path: Path) -> None:
    """What it would have cost a caller stands beside the champion, which answers."""
    kept = Kept()

    async def whole(made: Agent, line: Line) -> None:
        slots = Slots(champion=loaded("1"), shadows=(loaded("3", constant(np.nan)),))
        made.swapper("churn").deployment.switch(slots)
        for _ in range(3):
            assert (await line.ask(posted()))[0] == 200
        await until(lambda: _flushed(made) or sum(kept.counts.values()) == 6)

    run(lambda: agent(tmp_path, kept=kept), whole)
    assert kept.counts == {("1", "ok"): 3, ("3", "error"): 3}


def _flushed(made: Agent) -> bool:
    made.recorder.flush()
    return False
