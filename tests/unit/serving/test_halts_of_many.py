"""Local halts where several agents keep their state: whoever can obey does, and nothing is called done that is not."""

from __future__ import annotations

import base64
import socket
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from served import ref
from signed import INSTALLATION, key

from driftline.agents.serving.errors import ServingError
from driftline.agents.serving.local import ABOUT, NAME
from driftline.deploy.serving import locally
from driftline.schemas.settings import Serve, Settings

WANTED = locally.Wanted("churn", None, None, "harm")


class Machine:
    """Agents of a machine, by the names of their folders: what each serves, if it answers, and who was told."""

    def __init__(self, folder: Path, **agents: dict[str, int] | None) -> None:
        self.folder, self.agents, self.told, self.refuses = folder, agents, [], ""
        for name in agents:
            (folder / name).mkdir()
            (folder / name / NAME).touch()

    def ask(self, place: Path, line: bytes, _answer_s: float) -> dict[str, Any]:
        """Answer as the agent of a socket does."""
        name = place.parent.name
        serves = self.agents[name]
        if serves is None:
            raise ServingError(f"no agent answers at {place}: Connection refused")
        if line == ABOUT:
            versions = [msgspec.to_builtins(ref("1"))]
            of = {one: {"revision": revision, "versions": versions} for one, revision in serves.items()}
            return {"instance": name, "installation": INSTALLATION, "deployments": of}
        if self.refuses == name:
            return {"ok": False, "error": "it expired"}
        self.told.append(name)
        return {"ok": True}

    def halt(self, *names: str) -> dict[str, Any]:
        """Halt churn on all of them, or on those that are named."""
        places = [self.folder / name / "halt.sock" for name in names]
        return locally.given(Settings(serve=Serve(state_dir=str(self.folder))), places, WANTED, [], [])


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return agents a and d that serve churn, b that is gone, c that serves something else."""
    made = Machine(tmp_path, a={"churn": 3}, b=None, c={"fraud": 1}, d={"churn": 4})
    monkeypatch.setattr(locally, "ask", made.ask)
    monkeypatch.setattr(locally, "loaded", lambda *_: [key("oli")])
    return made


def test_an_agent_that_is_gone_keeps_no_other_from_halting(machine: Machine) -> None:
    """A process that was killed leaves its socket; the others obey, and that one may come back is said."""
    with pytest.raises(
        ServingError, match=r"^obeyed by a, d, and not by all: no agent answers at .*b/halt\.sock"
    ):
        machine.halt()
    assert sorted(machine.told) == ["a", "d"]
    machine.agents["b"] = {"churn": 4}
    assert machine.halt()["instances"] == ["a", "b", "d"]


def test_each_socket_that_is_named_is_told(machine: Machine) -> None:
    """Once, also one that is named twice; the others are not asked."""
    machine.agents["b"] = {"churn": 4}
    assert machine.halt("a", "d", "a")["instances"] == ["a", "d"]
    assert sorted(machine.told) == ["a", "d"]


def test_no_agent_below_a_folder_says_where_agents_are_looked_for(tmp_path: Path) -> None:
    """Those with a state elsewhere are found by the setting that they have."""
    with pytest.raises(
        ServingError, match="set DRIFTLINE_SERVE_STATE_DIR to what the agents have, or name a socket"
    ):
        locally.found(tmp_path)


def test_an_agent_that_does_not_obey_keeps_no_other_from_halting(machine: Machine) -> None:
    """Its reason is told, with who obeys."""
    machine.agents["b"], machine.refuses = {}, "a"
    with pytest.raises(ServingError, match=r"^obeyed by d, and not by all: .*a/halt\.sock: it expired"):
        machine.halt()
    assert machine.told == ["d"]


def test_where_nobody_serves_a_deployment_that_is_said(machine: Machine) -> None:
    """Where none answers at all, why of each."""
    machine.agents |= {"a": {}, "d": {}}
    with pytest.raises(ServingError, match="a does not serve 'churn'; it serves nothing"):
        machine.halt()
    machine.agents |= dict.fromkeys("abcd")
    with pytest.raises(ServingError, match=r"a/halt\.sock.*d/halt\.sock"):
        machine.halt()


def test_an_agent_that_hangs_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its neighbour is asked while it is silent, and obeys; of the hung one is said that it does not answer."""
    monkeypatch.setattr(locally, "loaded", lambda *_: [key("oli")])
    monkeypatch.setattr(locally, "ABOUT_S", 1.0)
    of = {"churn": {"revision": 3, "versions": []}}
    about = msgspec.json.encode({"instance": "b", "installation": INSTALLATION, "deployments": of})
    asked: list[bytes] = []
    with _listening(tmp_path / "a") as hung, _listening(tmp_path / "b") as sound:

        def answer() -> None:
            waiting, _ = hung.accept()
            with waiting:
                for told in (about, b'{"ok":true}'):
                    caller, _ = sound.accept()
                    with caller, caller.makefile("rb") as read:
                        asked.append(read.readline())
                        asked.extend([_heard(waiting)] if told is about else [])
                        caller.sendall(told + b"\n")

        agent = threading.Thread(target=answer, daemon=True)
        agent.start()
        with pytest.raises(
            ServingError,
            match=r"^obeyed by b, and not by all: no agent answers at .*a/halt\.sock: timed out$",
        ):
            locally.given(Settings(serve=Serve(state_dir=str(tmp_path))), [], WANTED, [], [])
        agent.join(30)
    assert asked[:2] == [ABOUT, b"it still waits"]
    command = msgspec.json.decode(msgspec.json.decode(asked[2])["command"])
    assert b"halt-serving" in base64.b64decode(command["payload"])


def test_an_agent_that_is_slow_to_obey_holds_up_no_other(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are given the command at once: the last has it while the first still thinks."""
    machine.agents["b"] = {"churn": 4}
    told = threading.Event()

    def ask(place: Path, line: bytes, answer_s: float) -> dict[str, Any]:
        if line != ABOUT and place.parent.name == "a":
            assert told.wait(10), "d was told nothing while a was silent"
        answer = machine.ask(place, line, answer_s)
        if "d" in machine.told:
            told.set()
        return answer

    monkeypatch.setattr(locally, "ask", ask)
    assert machine.halt()["instances"] == ["a", "b", "d"]


def _listening(folder: Path) -> socket.socket:
    """A socket that takes callers, and answers none by itself."""
    folder.mkdir()
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(30)
    made.bind(str(folder / NAME))
    made.listen()
    return made


def _heard(waiting: socket.socket) -> bytes:
    """What comes of who asked an agent that hangs, behind the question: nothing, or that it gave up."""
    assert waiting.recv(len(ABOUT)) == ABOUT
    try:
        return waiting.recv(1, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b"it still waits"
