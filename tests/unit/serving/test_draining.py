"""An agent that is told to stop: not ready any more, and answering until those who send requests have noticed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from served import agent
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
