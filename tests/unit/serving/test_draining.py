"""An agent that is told to stop: not ready any more, and answering until those who send requests have noticed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from believing import Life
from office import Office
from served import Package, agent
from wired import Line, posted, run

from driftline.agents.serving.agent import Agent


def test_an_agent_goes_on_answering_while_it_drains(tmp_path: Path) -> None:
    """Requests over old and new connections are answered, each connection is closed after its answer."""

    async def whole(made: Agent, line: Line) -> None:
        port = line.writer.get_extra_info("peername")[1]
        made.server.stop()
        status, headers, _ = await line.ask(posted())
        assert (status, headers["connection"]) == (200, "close")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        late = Line(made, reader, writer)
        status, headers, told = await late.ask(b"GET /v2/health/ready HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (status, headers["connection"]) == (503, "close")
        assert "told to stop" in json.dumps(told)
        writer.close()
        assert not made.server.should_exit
        made.server.should_exit = True

    run(lambda: agent(tmp_path, drain_seconds=30.0), whole)


def test_an_agent_that_stops_carries_out_nothing_any_more(tmp_path: Path) -> None:
    """A state that comes while it closes loads nothing: what it let go of stays let go of."""
    office = Office("low")

    async def whole() -> None:
        life = Life(tmp_path, office, Package("1", tier="low"))
        life.hears()
        office.created()
        life.follows()
        await life.controlled.close()
        await life.catches_up()
        assert (life.agent.swappers, life.outcomes()) == ({}, [])
        await life.agent.close()

    asyncio.run(whole())
