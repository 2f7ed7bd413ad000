"""The folder of an agent's state: one agent's alone."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from pathlib import Path

import pytest

from driftline.agents.serving.errors import ServingError
from driftline.deploy.serving.start import kept_alone


def test_two_agents_keep_their_state_apart(tmp_path: Path) -> None:
    """A second one is refused, and begins once the first has ended: it would take the socket that halts come by."""
    with (
        kept_alone(tmp_path, 0.0),
        pytest.raises(ServingError, match="another agent keeps its state in"),
        kept_alone(tmp_path, 0.0),
    ):
        pytest.fail("two agents had it")
    with kept_alone(tmp_path, 0.0) as folder:
        assert folder == tmp_path


def test_an_agent_that_ends_is_waited_for(tmp_path: Path) -> None:
    """One that is started while the one before it drains begins after it."""
    begun, end = threading.Event(), threading.Event()

    def first() -> None:
        with kept_alone(tmp_path, 0.0):
            begun.set()
            assert end.wait(30)

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(30)
    later = threading.Timer(0.2, end.set)
    later.start()
    with kept_alone(tmp_path, 30.0):
        assert end.is_set()
    thread.join()


def test_it_is_held_by_a_file_as_network_file_systems_want(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS gives a lock of one's own on what is open for writing alone, which no folder is; a refusal is a sentence."""

    def flock(held: int, how: int) -> None:
        assert how == fcntl.LOCK_EX | fcntl.LOCK_NB
        if fcntl.fcntl(held, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDWR:
            raise OSError(errno.EBADF, "Bad file descriptor")
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with (
        pytest.raises(ServingError, match=r"the state folder .* cannot be locked: No locks available"),
        kept_alone(tmp_path, 0.0),
    ):
        pytest.fail("it began")
