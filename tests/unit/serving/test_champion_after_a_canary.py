"""The champion that answers after a canary failed: the one of that moment, not the one that the request came to."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from served import Kept, agent, loaded
from wired import Line, posted, run

from driftline.agents.serving.agent import Agent
from driftline.agents.serving.package.tensors import Tensor
from driftline.agents.serving.slots import Slots


def test_a_champion_that_was_swapped_meanwhile_is_asked_what_it_takes(tmp_path: Path) -> None:
    """It may take other tensors than the one before: the caller is told, and the champion has no event."""
    kept, is_asked, go_on = Kept(), threading.Event(), threading.Event()

    def slow_to_fail(_inputs: Any) -> dict[str, Any]:
        is_asked.set()
        go_on.wait(30)
        raise ValueError

    async def whole(made: Agent, line: Line) -> None:
        deployment = made.swapper("churn").deployment
        deployment.switch(
            Slots(champion=loaded("1"), canary=loaded("2", slow_to_fail), rollout_id="r", weight=10_000)
        )
        asked = asyncio.create_task(line.ask(posted()))
        await asyncio.to_thread(is_asked.wait, 30)
        other = (Tensor(name="Z", datatype="FP32", shape=(-1, 3)),)
        deployment.switch(Slots(champion=loaded("3", inputs=other)))
        go_on.set()
        status, _, told = await asked
        assert (status, told["error"]) == (400, "there is no input 'X'; there are Z")
        made.recorder.flush()

    run(lambda: agent(tmp_path, kept=kept, canary_seconds=30.0), whole)
    assert kept.counts == {("2", "error"): 1}
