"""`driftline serve`: what whoever started it may do once it says that it serves."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from contextlib import closing
from pathlib import Path

import click
import msgspec
import pytest
from packaged import SIGNER, linear, packed
from served import Package, settings

from driftline.agents.control.keys import public_text
from driftline.agents.serving.errors import ServingError
from driftline.agents.serving.server import listening
from driftline.deploy.board.web import start as board
from driftline.deploy.board.web.errors import BoardError
from driftline.deploy.serving import start
from driftline.deploy.serving.start import Single, run
from driftline.schemas.settings_packages import Packages

WITHIN_S = 20.0
"""After which an agent that says nothing is told to stop."""


def test_a_package_that_is_served_alone_is_served_from_a_copy(tmp_path: Path) -> None:
    """Whoever writes to its folder after it was verified changes nothing of what is loaded."""
    packed(tmp_path / "made", model=linear(tmp_path / "m.onnx"))
    folder = tmp_path / "made" / "package"
    packages = Packages(cache_dir=str(tmp_path / "cache"))
    whole = msgspec.structs.replace(settings(), packages=packages)
    fetched = start._fetched(whole, Single(folder, "churn", (public_text(SIGNER.public),)))
    (folder / "model.onnx").write_bytes(b"torn")
    loaded = fetched.load()
    assert tmp_path / "cache" in fetched.folder.parents
    assert loaded.version == fetched.manifest.version
    loaded.model.close()
    loaded.release()


def test_it_says_that_it_serves_once_connections_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for the line is not refused; a signal from then on is a stop in order."""
    said: list[str] = []

    def echo(line: str) -> None:
        found = re.fullmatch(r"serving on http://(127\.0\.0\.1):(\d+)", line)
        assert found is not None, line
        with socket.create_connection((found[1], int(found[2])), timeout=10):
            said.append(line)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(start, "_fetched", lambda _settings, _single: Package("1"))
    monkeypatch.setattr(click, "echo", echo)
    monkeypatch.setattr(
        start, "leave", lambda _code: pytest.fail("something hangs, and the tests would end here")
    )
    wanted = settings(host="127.0.0.1", port=0, state_dir=str(tmp_path))
    at_last = threading.Timer(WITHIN_S, os.kill, (os.getpid(), signal.SIGTERM))
    at_last.start()
    try:
        assert run(wanted, Single(tmp_path, "churn", ())) == 0
    finally:
        at_last.cancel()
    assert len(said) == 1


def test_a_second_agent_is_refused_the_port_of_another() -> None:
    """It ends with one sentence from the moment that the first one has the port, and not once that one answers."""
    with closing(listening("127.0.0.1", 0, shared=False)) as first:
        port = first.getsockname()[1]
        sentence = rf"127\.0\.0\.1:{port} cannot be listened on \(Address already in use\): name another"
        with pytest.raises(ServingError, match=sentence):
            listening("127.0.0.1", port, shared=False)


def test_a_shared_port_that_is_held_takes_no_connection() -> None:
    """What keeps the port for several processes, and answers nobody, is sent nothing that they would answer."""
    with (
        closing(listening("127.0.0.1", 0, shared=True)) as held,
        pytest.raises(ConnectionRefusedError),
        socket.create_connection(held.getsockname(), timeout=10),
    ):
        pytest.fail("it took a connection")


@pytest.mark.parametrize("host", ["a..b", "a" * 80])
def test_an_address_that_no_host_can_have_is_a_sentence(host: str) -> None:
    """A label that is empty or too long is refused as any address is that cannot be had."""
    sentence = rf"{host}:8000 cannot be listened on \(no host can have such a name\): .* serve\.host"
    with pytest.raises(ServingError, match=sentence):
        listening(host, 8000, shared=False)
    with pytest.raises(BoardError, match=sentence.replace("serve", "board")):
        board._listening(host, 8000)
