"""Event time of requests: a replay says when what it asks about happened, and nothing else decides that."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import aiohttp
import pytest
from served import Kept, agent, loaded, request, running

from driftline.agents.serving import v2
from driftline.agents.serving.errors import AnswerError
from driftline.agents.serving.slots import Slots

JULY_MS = 1_372_636_800_000


def answered(folder: Path, kept: Kept, *bodies: bytes) -> list[int]:
    """Ask an agent; return the statuses of its answers."""

    async def whole() -> list[int]:
        made = agent(folder, kept=kept)
        made.swapper("churn").deployment.switch(Slots(champion=loaded("1"), shadows=(loaded("2"),)))
        async with asyncio.timeout(30), running(made) as port, aiohttp.ClientSession() as session:
            found = []
            for body in bodies:
                url = f"http://127.0.0.1:{port}/v2/models/churn/infer"
                async with session.post(url, data=body) as answer:
                    found.append(answer.status)
            return found

    return asyncio.run(whole())


def test_events_carry_the_time_that_a_request_names(tmp_path: Path) -> None:
    """Each row of it, the shadow's too; without the parameter it is the time of the request."""
    kept = Kept()
    began_ms = time.time_ns() // 1_000_000
    bodies = request(2, parameters={v2.AT: JULY_MS}), request(1)
    assert answered(tmp_path, kept, *bodies) == [200, 200]
    named = [row for row in kept.rows if row["at_ms"] == JULY_MS]
    assert [(row["key"][2]) for row in named].count("champion") == 2
    assert [(row["key"][2]) for row in named].count("shadow") == 2
    others = [row["at_ms"] for row in kept.rows if row["at_ms"] != JULY_MS]
    assert len(others) == 2
    assert all(began_ms <= at_ms <= time.time_ns() // 1_000_000 for at_ms in others)


def test_a_time_ahead_is_refused(tmp_path: Path) -> None:
    """What has not happened yet would close the windows of today: 400, and no event."""
    kept = Kept()
    ahead_ms = time.time_ns() // 1_000_000 + 3_600_000
    assert answered(tmp_path, kept, request(1, parameters={v2.AT: ahead_ms})) == [400]
    assert kept.rows == []


@pytest.mark.parametrize("value", ["2013-07-01", 1.5, -1, True, 1 << 60])
def test_what_is_no_time_is_refused(value: object) -> None:
    """Whole ms since 1970 up to 2200, and nothing else."""
    with pytest.raises(AnswerError, match=r"driftline_at is .*; give whole ms since 1970"):
        v2.read(request(1, parameters={v2.AT: value}))
