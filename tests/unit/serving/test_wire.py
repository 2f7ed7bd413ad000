"""How requests come over a connection: at once or by a task, whole or in pieces, and always answered alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served import Kept, agent, constant, loaded, ones, request, until
from wired import Line, posted, run

from driftline.agents.serving import server, v2, wire
from driftline.agents.serving.agent import Agent
from driftline.agents.serving.package.tensors import Tensor
from driftline.agents.serving.slots import Slots


@pytest.mark.parametrize("body", [request(), request(id="a-1"), request(parameters={"driftline_at": 7})])
def test_a_quick_model_answers_without_a_task(tmp_path: Path, body: bytes) -> None:
    """The answer is what a task would give, and so are the event and the counts."""
    kept = Kept()

    async def whole(made: Agent, line: Line) -> None:
        status, headers, told = await line.ask(posted(body))
        assert (status, line.tasks, headers["content-type"]) == (200, 0, "application/json")
        champion = made.deployments["churn"].slots.champion
        assert champion is not None
        champion.is_verified = False  # such a one is asked by a task
        other = await line.ask(posted(body))
        assert line.tasks == 1
        assert (other[0], other[1].keys()) == (status, headers.keys())
        if b'"id"' not in body:
            told.pop("id"), other[2].pop("id")
        assert other[2] == told
        made.recorder.flush()
        assert kept.counts == {("1", "ok"): 2}
        assert {row["at_ms"] for row in kept.rows} == {7} or b"driftline_at" not in body
        assert made.metrics.requests.value("churn", "200") == 2

    run(lambda: agent(tmp_path, kept=kept), whole)


def test_a_request_is_answered_however_it_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers and body by themselves, within a header, within the body; late pieces are waited for by a task."""
    monkeypatch.setattr(wire, "WAIT_S", 30.0)

    async def whole(made: Agent, line: Line) -> None:
        sent = posted()
        head = sent.index(b"{")
        for at in (1, 20, head - 1, head, head + 1, len(sent) - 1):
            assert (await line.ask(sent[:at], sent[at:]))[0] == 200
        assert line.tasks == 0
        monkeypatch.setattr(wire, "WAIT_S", 0.01)
        line.writer.write(sent[: head + 5])
        await until(lambda: line.tasks == 1)
        assert (await line.ask(sent[head + 5 :]))[0] == 200
        assert made.bodies.held == 0

    run(lambda: agent(tmp_path), whole)


def test_requests_of_a_pipeline_are_answered_in_their_order(tmp_path: Path) -> None:
    """Those that are answered at once among them."""

    async def whole(_made: Agent, line: Line) -> None:
        wanted = [f"{number}" for number in range(9)]
        line.writer.write(b"".join(posted(request(id=one)) for one in wanted))
        assert [(await line.answer())[2]["id"] for _ in wanted] == wanted
        assert 0 < line.tasks < len(wanted)
        assert (await line.ask(posted(request(id="last"))))[2]["id"] == "last"

    run(lambda: agent(tmp_path), whole)


def test_a_connection_is_kept_while_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is closed once nothing came for as long as connections are kept, and not while requests come sooner."""
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 2)

    async def used(_made: Agent, line: Line) -> None:
        clock = asyncio.get_running_loop().time
        began_s = clock()
        while clock() < began_s + 3.0:
            assert (await line.ask(posted()))[0] == 200
            asked_s = clock()
            await asyncio.sleep(0.1)
        assert line.tasks == 0
        assert await line.reader.read() == b""
        assert clock() >= asked_s + 2.0 - 0.01

    run(lambda: agent(tmp_path), used)


def test_what_is_wrong_is_said_at_once_and_the_connection_stays(tmp_path: Path) -> None:
    """400 for no request, 404 for another version, 415 for a compressed one, 500 for a model that would exit."""

    def leaving(inputs: Mapping[str, Any]) -> dict[str, Any]:
        if inputs["X"][0, 0] < 0:
            raise SystemExit(3)
        return constant(1.0)(inputs)

    async def whole(made: Agent, line: Line) -> None:
        bad = request(inputs=[{"name": "X", "datatype": "FP32", "shape": [1, 3], "data": [-1.0, 0.0, 0.0]}])
        for sent, status in (
            (posted(b"{}"), 400),
            (posted(request(2)[:-9] + b"]}]}"), 400),
            (posted(path="churn/versions/7/infer"), 404),
            (posted(more="content-encoding: gzip\r\n"), 415),
            (posted(bad), 500),
            (posted(request(parameters={"driftline_at": 1 << 45})), 400),
        ):
            found, _, told = await line.ask(sent)
            assert (found, set(told)) == (status, {"error"}), told
            assert made.metrics.requests.value("churn", str(status)) >= 1
        assert (await line.ask(posted(path="churn/versions/1/infer")))[0] == 200
        assert line.tasks == 0

    run(lambda: agent(tmp_path), whole, leaving)


def test_many_rows_are_asked_from_a_thread_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes longer than the event loop may wait goes the other way, with what was read of it."""
    reads, read = [], v2.read

    def reading(*given: Any, **named: Any) -> v2.Ask:
        reads.append(given)
        return read(*given, **named)

    monkeypatch.setattr(v2, "read", reading)

    async def whole(made: Agent, line: Line) -> None:
        champion = made.deployments["churn"].slots.champion
        assert champion is not None
        for _ in range(200):
            champion.pace.took(0.0001, 1)
        status, _, told = await line.ask(posted(request(50)))
        assert (status, told["outputs"][0]["shape"], line.tasks, len(reads)) == (200, [50, 1], 1, 1)
        await line.ask(posted())
        assert line.tasks == 1

    run(lambda: agent(tmp_path), whole)


def test_a_model_of_large_answers_is_asked_by_a_task(tmp_path: Path) -> None:
    """From its first one on: writing it would hold up other connections."""

    def large(inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {"p": np.zeros((len(inputs["X"]), 20_000), np.float32)}

    async def whole(made: Agent, line: Line) -> None:
        wide = Tensor(name="p", datatype="FP32", shape=(-1, 20_000))
        champion = loaded("2", large, outputs=(wide,))
        made.swapper("churn").deployment.switch(Slots(champion=champion))
        for number in (1, 2):
            assert (await line.ask(posted()))[0] == 200
            assert line.tasks == number

    run(lambda: agent(tmp_path), whole)


def test_a_canary_is_asked_beside_a_quick_champion(tmp_path: Path) -> None:
    """No request of the canary's callers is answered by the champion because that would be quicker."""

    async def whole(made: Agent, line: Line) -> None:
        deployment = made.deployments["churn"]
        champion = deployment.slots.champion
        deployment.switch(Slots(champion=champion, canary=loaded("2"), rollout_id="r", weight=10_000))
        assert (await line.ask(posted()))[2]["model_version"] == "2"
        deployment.switch(Slots(champion=champion, canary=loaded("2"), rollout_id="r", weight=0))
        assert (await line.ask(posted()))[2]["model_version"] == "1"
        assert line.tasks == 1

    run(lambda: agent(tmp_path), whole)


def test_a_champion_is_asked_as_the_canary_beside_it_is(tmp_path: Path) -> None:
    """Latencies of both are those of calls in threads; without a canary a quick champion is asked by the loop."""
    asked_by: list[threading.Thread] = []

    def noted(inputs: Mapping[str, Any]) -> Any:
        asked_by.append(threading.current_thread())
        return ones(inputs)

    async def whole(made: Agent, line: Line) -> None:
        deployment = made.deployments["churn"]
        champion, loop_thread = deployment.slots.champion, threading.current_thread()
        for weight, in_loop in ((1, False), (0, True)):
            asked_by.clear()
            deployment.switch(Slots(champion=champion, canary=loaded("2"), rollout_id="r", weight=weight))
            versions = {(await line.ask(posted()))[2]["model_version"] for _ in range(5)}
            assert "1" in versions
            assert {one is loop_thread for one in asked_by} == {in_loop}

    run(lambda: agent(tmp_path), whole, noted)


def test_an_agent_that_stops_answers_what_has_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a request that came before the stop is answered, and the connection is closed after it."""
    monkeypatch.setattr(wire, "WAIT_S", 30.0)

    async def whole(made: Agent, line: Line) -> None:
        sent = posted()
        line.writer.write(sent[:-5])
        await until(lambda: any(one._body for one in made.server.server_state.connections))
        made.server.stop()
        await until(lambda: line.tasks == 1)
        status, headers, _ = await line.ask(sent[-5:])
        assert (status, headers["connection"]) == (200, "close")
        assert await line.reader.read() == b""

    run(lambda: agent(tmp_path, drain_seconds=0.0), whole)


def test_another_protocol_that_is_offered_is_not_taken_and_the_request_answered(tmp_path: Path) -> None:
    """Java's client offers HTTP/2 with each first request by default; whole, in pieces, and by a task."""
    offer = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAAB\r\n"

    async def whole(made: Agent, line: Line) -> None:
        sent = posted(more=offer)
        for at in (len(sent) - 1, sent.index(b"{"), sent.index(b"h2c")):
            assert (await line.ask(sent))[0] == 200
            assert (await line.ask(sent[:at], sent[at:]))[0] == 200
        assert (await line.ask(posted(path="nobody/infer", more=offer)))[0] == 404
        line.writer.write(sent * 500)
        for _ in range(500):
            assert (await line.answer())[0] == 200
        line.writer.write(b"CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (await line.reader.read()).startswith(b"HTTP/1.1 400 ")
        assert made.bodies.held == 0

    run(lambda: agent(tmp_path), whole)
