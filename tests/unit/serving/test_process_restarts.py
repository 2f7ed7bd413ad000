"""`--processes`: what the first process does about those that end, without starting any."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from driftline.agents.serving.server import listening
from driftline.deploy.serving import processes
from driftline.deploy.serving.start import Single
from driftline.schemas.settings import Serve

TWO = Serve(host="127.0.0.1", port=0, processes=2)


class Child:
    """A process that lives until it is told to stop, or ends as `codes` say, in the order of their starts."""

    started: ClassVar[list[Child]] = []
    codes: ClassVar[list[int | None]] = []

    pid = 0

    def __init__(self, words: list[str]) -> None:
        self.words, self.code, self.asked = words, self.codes.pop(0) if self.codes else None, 0
        self.started.append(self)

    def poll(self) -> int | None:
        """The code it ended with; once three were started, all are told to stop."""
        self.asked += 1
        assert self.asked < 100, "nobody starts it again"
        if len(self.started) > TWO.processes:
            signal.raise_signal(signal.SIGTERM)
        return self.code

    def send_signal(self, number: int) -> None:
        """End when told to stop."""
        assert number == signal.SIGTERM
        self.code = 0

    def wait(self, _timeout: float) -> int | None:
        """It has ended."""
        assert self.code is not None
        return self.code


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fake processes and no pauses; signals are as before afterwards."""
    monkeypatch.setattr(Child, "started", [])
    monkeypatch.setattr(subprocess, "Popen", Child)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    before = {word: signal.getsignal(word) for word in (signal.SIGTERM, signal.SIGINT)}
    yield
    for word, handler in before.items():
        signal.signal(word, handler)


def test_a_process_that_ends_is_started_again_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its number and the port of all; told to stop, the first tells them all, and ends with 0."""
    monkeypatch.setattr(Child, "codes", [None, -signal.SIGKILL])
    assert processes.run(TWO, Single(Path("model"), "churn", ("key",))) == 0
    words = [one.words for one in Child.started]
    assert [one[one.index("--number") + 1] for one in words] == ["0", "1", "1"]
    assert words[1] == words[2]
    assert Child.started[0].code == 0


def test_no_room_for_another_process_ends_none_that_serve(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the kernel has no process to give, that is said, and asked for again."""
    monkeypatch.setattr(Child, "codes", [None, -signal.SIGKILL])
    start, refusals = processes._start, [BlockingIOError(11, "Resource temporarily unavailable")]

    def started(*words: Any) -> Any:
        if len(Child.started) == TWO.processes and refusals:
            raise refusals.pop()
        return start(*words)

    monkeypatch.setattr(processes, "_start", started)
    assert processes.run(TWO, None) == 0
    assert "process 1 cannot be started, and is tried again" in caplog.text
    assert len(Child.started) == TWO.processes + 1


def test_one_that_never_served_ends_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """It said why, and what is wrong for one is wrong for all: with its code, and none is started again."""
    monkeypatch.setattr(Child, "codes", [None, 2])
    assert processes.run(TWO, None) == 2
    assert [one.code for one in Child.started] == [0, 2]


def test_one_that_cannot_start_again_ends_none_that_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    """One was killed, and finds the disk full or its port taken: it is tried again, and the other goes on meanwhile."""
    monkeypatch.setattr(Child, "codes", [None, -signal.SIGKILL, 1])
    monkeypatch.setattr(processes, "_listens", lambda _children, _port: len(Child.started) > 1)
    assert processes.run(TWO, None) == 0
    assert [one.code for one in Child.started] == [0, -signal.SIGKILL, 1, 0]


def test_one_that_never_served_ends_them_all_though_others_listen_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As those of an installation that was started twice; what one of its own processes does is seen."""
    monkeypatch.setattr(Child, "codes", [None, 2])
    with closing(listening("127.0.0.1", 0, shared=True)) as other:
        other.listen()
        port = other.getsockname()[1]
        assert processes.run(msgspec.structs.replace(TWO, port=port), None) == 2
        monkeypatch.setattr(Child, "pid", os.getpid())
        assert processes._listens([Child([])], port)  # type: ignore[list-item]
        assert not processes._listens([Child([])], port + 1)  # type: ignore[list-item]
    assert not processes._listens([Child([])], port)  # type: ignore[list-item]
