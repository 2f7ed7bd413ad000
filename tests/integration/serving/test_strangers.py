"""What strangers send to agents: rubbish to their port and their socket, forged states to their topic."""

from __future__ import annotations

import os
import random
import socket
import threading
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace
from signed import key, model
from steady import Steady
from town import Town

from driftline.agents.control.signing import sign
from driftline.schemas.control.envelope import STATE
from driftline.schemas.control.serving_state import ServingState
from driftline.schemas.deployment_state import defaults

REST_S = 0.01
INFER = b"POST /v2/models/churn/infer HTTP/1.1\r\nhost: test\r\n"
RUBBISH = (
    b"\x00\xff\x16\x03\x01 nothing of HTTP\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
    INFER + b"x: " + b"y" * 100_000 + b"\r\n\r\n",
    INFER + b"content-length: -5\r\n\r\n",
    INFER + b"content-length: 99999999999\r\n\r\n",
    INFER + b"content-length: 50\r\n\r\nthree words, then nothing",
    INFER + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    INFER + b"content-length: 7\r\n\r\n" + b"[" * 7,
    INFER + b"content-length: 60000\r\n\r\n" + b"[" * 60_000,
    INFER + b"content-length: 4\r\ninference-header-content-length: 9\r\n\r\n\xff\xfe\xfd\xfc",
    INFER
    + b'content-length: 82\r\n\r\n{"inputs":[{"name":"X","datatype":"FP32","shape":[9999999999,3],"data":[1,2,3]}]}  ',
    INFER.replace(b"churn", b"%00%ff/../..") + b"content-length: 2\r\n\r\n{}",
    b"PUT /v2/models/churn/versions/1/infer HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n",
    b"POST /v1/labels HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\n\x00\n\x00",
    b"GET /v2/models/churn HTTP/1.1\r\nhost: test\r\n\r\n" * 50,
)


def send_rubbish(port: int, halt: Path, stop: threading.Event, sent: list[bytes]) -> None:
    """Send one kind after another, and some at random, and read little of what is answered, until told to stop.

    It rests a little after each, so that the agent has the time to answer others on a machine of few cores.
    """
    rng = random.Random(5)
    while not stop.is_set():
        whole = (*RUBBISH, rng.randbytes(rng.randrange(1, 5_000)), INFER + rng.randbytes(300))
        for one in whole:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2) as to:
                to.sendall(one)
                sent.append(to.recv(64))
            stop.wait(REST_S)
        with suppress(OSError), socket.socket(socket.AF_UNIX) as local:
            local.settimeout(0.2)
            local.connect(os.path.relpath(halt))
            local.sendall(
                rng.choice((b"\xff\n", b"{}\n", b"[" * 5_000 + b"\n", b'{"command": "x"}\n', b"no end"))
            )
            sent.append(local.recv(64))


def test_rubbish_at_the_doors_ends_no_agent_and_no_change(town: Town) -> None:
    """While strangers send what is no request, a change goes through, and nobody else's request fails.

    Nothing is logged as a fault of the agent's own.
    """
    agent = town.agents[0]
    pid, stop, sent = agent.process.pid, threading.Event(), list[bytes]()
    halt = Path(agent.env["DRIFTLINE_SERVE_STATE_DIR"]) / agent.instance / "halt.sock"
    strangers = [threading.Thread(target=send_rubbish, args=(agent.port, halt, stop, sent)) for _ in range(2)]
    version = next(one for one in town.packages if one != town.champion)
    logged = len(agent.log.read_text())
    with Steady(agent, "honest") as honest:
        for one in strangers:
            one.start()
        try:
            town.does("shadow", "ann", model=town.packages[version])
            town.applied()
            town.does("promote", "ann", model=town.packages[version])
            town.applied()
            honest.reach(20)
        finally:
            stop.set()
            for one in strangers:
                one.join(60)
    assert (agent.process.poll(), agent.process.pid) == (None, pid)
    assert honest.failed == {}
    assert town.champion == version
    answered = [one for one in sent if one.startswith(b"HTTP/1.1 ")]
    assert len(answered) > len(RUBBISH)
    assert {one[9:10] for one in answered} <= {b"2", b"4"}, {
        one for one in answered if one[9:10] not in b"24"
    }
    assert any(b'"ok":false' in one for one in sent)
    assert "Traceback" not in agent.log.read_text()[logged:]


def test_forged_states_change_nothing_and_are_told(town: Town) -> None:
    """One of a broker's administrator without a key, one signed by a stolen controller's key: agents refuse both.

    The audit says so, the controller writes over the first, and a true change goes through afterwards.
    """
    state = town.state

    def forge(word: str, later: ServingState) -> None:
        envelope = sign(STATE, later.to_bytes(), key(word)).to_bytes()
        town.hall.publish("deployment-state", defaults("churn").to_bytes(serving=envelope), "churn")
        town.hall.flush()

    def refused(revision: int, why: str) -> None:
        for agent in town.agents:
            found = town.wait(
                lambda one, agent=agent: (
                    (one.event, one.agent) == ("acked", agent.instance)
                    and (one.detail or {})["outcome"] == "refused"
                    and (one.detail or {})["revision"] == revision
                )
            )
            assert why in found.reasons[0]
            metrics = agent.ask("/metrics")[1]["text"]
            assert 'driftline_serving_swaps_total{deployment="churn",outcome="refused"}' in metrics
            assert why in agent.log.read_text()

    known = next(one for one in town.packages.values() if one != state.champion)
    said = len(town.read())
    with Steady(town.agents[0], "one") as one, Steady(town.agents[1], "two") as two:
        forge("ann", replace(state, revision=state.revision + 100, champion=model("9")))
        restated = town.wait(lambda one: one.seq >= said and one.event == "restated")
        assert restated.deployment == "churn"
        forge("controller", replace(state, revision=state.revision + 200, champion=known))
        refused(state.revision + 100, "no key of a controller that counts signed the state")
        refused(state.revision + 200, "version")
        one.reach(5)
        two.reach(5)
    assert (one.failed, two.failed) == ({}, {})
    assert state.champion is not None
    assert {*one.answered.values(), *two.answered.values()} == {state.champion.version}
    town.does("shadow", "ann", model=known)
    town.applied()
    town.does("promote", "ann", model=known)
    town.applied()
