"""What a process does to its emitters."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
import time
import warnings
import weakref
from pathlib import Path

import pytest
from emit_fakes import NOBODY, sink

from driftline.agents.emit import Emitter, life, process


def test_a_fork_while_an_emitter_is_made_holds_up_no_child(tmp_path: Path) -> None:
    """A child of a fork that came while another thread took an epoch begins its own life all the same."""
    with sink(tmp_path) as out:
        out.emitter.log({"a": 1.0})
        held, over = threading.Event(), threading.Event()

        def hold() -> None:
            with life._epochs:
                held.set()
                over.wait(30)

        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(30)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
            pid = os.fork()
        if pid == 0:
            # Only a child that got through its hooks comes here.
            os._exit(0 if out.emitter.stats().enqueued == 0 else 3)
        over.set()
        thread.join()
        assert ended(pid) == 0


def test_processes_that_begin_in_one_microsecond_have_epochs_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Children of forks keep a given instance: with one epoch as well their batches were taken for copies."""
    epochs = []
    monkeypatch.setattr("time.time_ns", lambda: 1_795_850_457_346_469_000)
    for pid in (4_000, 4_001, 4_096, 70_000):
        monkeypatch.setattr("os.getpid", lambda pid=pid: pid)
        monkeypatch.setattr(life, "_last_epoch_us", 0)
        epochs += [life.new_epoch(), life.new_epoch()]
        assert epochs[-2] < epochs[-1]
    assert len(set(epochs)) == len(epochs)
    assert all(abs(one - 1_795_850_457_346_469) < 3 * 4_096 for one in epochs)


def ended(pid: int) -> int | None:
    """Wait for a child and give its exit code; None when it had to be killed."""
    deadline = time.monotonic() + 20
    while (found := os.waitpid(pid, os.WNOHANG))[0] == 0:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(found[1])


def test_many_open_emitters_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An application that makes an emitter a request is told so, once, when it has many."""
    monkeypatch.setattr(process, "MANY", len(process._started) + 2)
    with caplog.at_level(logging.WARNING, "driftline.emit"), sink(tmp_path) as one, sink(tmp_path) as two:
        one.emitter.log({"a": 1.0})
        two.emitter.log({"a": 1.0})
        two.emitter.log({"a": 1.0})
    said = [
        record.message for record in caplog.records if "emitters are open in this process" in record.message
    ]
    assert len(said) == 1


@pytest.mark.parametrize("is_used", [True, False])
def test_a_closed_emitter_leaves_no_garbage(tmp_path: Path, *, is_used: bool) -> None:
    """Its memory goes with the last reference: a process that serves makes one a change, and seldom looks for cycles.

    About a megabyte stayed of each before: its ids, its shelf and its columns.
    """
    gc.disable()
    try:
        emitter = Emitter("d", "1", bootstrap=NOBODY, spool_dir=tmp_path, stall_s=0.01, linger_s=0.01)
        if is_used:
            emitter.log({"a": 1.0})
            emitter.log_many({"a": [1.0, 2.0]})
            emitter.label("order-1", "yes")
        emitter.close(5.0)
        assert emitter._life._thread is None or not emitter._life._thread.is_alive()
        parts = (emitter, emitter._life, emitter._life.door, emitter._life._sender, emitter._life._courier)
        left = [weakref.ref(one) for one in parts]
        del emitter, parts
        assert [one() for one in left if one() is not None] == []
    finally:
        gc.enable()
