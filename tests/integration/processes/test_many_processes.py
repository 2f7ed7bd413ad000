"""`driftline serve --processes 2`: whole instances on one port, started again when one dies, never left alone."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from packaged import SIGNER, packed
from served import request

from driftline.agents.control.keys import public_text

WAIT_S = 180.0


def until(holds: Callable[[], Any]) -> Any:
    """Wait for a condition, and give what it gives."""
    deadline_s = time.monotonic() + WAIT_S
    while not (found := holds()):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    return found


class Several:
    """An agent of two processes in a folder, without Kafka and without an installation."""

    def __init__(self, folder: Path) -> None:
        made = packed(folder / "model")
        words = [
            "serve",
            "--processes",
            "2",
            "--port",
            "0",
            "--package",
            str(made.folder),
            "--deployment",
            "churn",
        ]
        env = os.environ | {
            "DRIFTLINE_KAFKA_BOOTSTRAP": "127.0.0.1:1",
            "DRIFTLINE_SERVE_STATE_DIR": str(folder / "state"),
            "DRIFTLINE_SERVE_INSTANCE": "several",
            "DRIFTLINE_SERVE_DRAIN_SECONDS": "0.1",
        }
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "driftline.deploy.cli", *words, "--by", public_text(SIGNER.public)],
            env=env, stdout=subprocess.PIPE, stderr=self.log, text=True, cwd=folder,
        )  # fmt: skip
        assert self.process.stdout is not None
        found = re.search(r":(\d+)$", self.process.stdout.readline().strip())
        assert found is not None, (folder / "log").read_text()
        self.port = int(found[1])
        self.seen: list[psutil.Process] = []

    def children(self) -> dict[str, psutil.Process]:
        """The processes that listen, by their number."""
        found = {}
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children():
                words = child.cmdline()
                if "--number" in words and any(
                    one.status == "LISTEN" for one in child.net_connections("tcp")
                ):
                    found[words[words.index("--number") + 1]] = child
                    self.seen.append(child)
        return found

    def end(self) -> None:
        """Leave nothing behind."""
        for one in (self.process, *self.seen):
            with suppress(psutil.NoSuchProcess):
                one.kill()
        self.process.communicate()
        self.log.close()


@pytest.fixture
def several(tmp_path: Path) -> Iterator[Several]:
    """Two processes that serve."""
    made = Several(tmp_path)
    try:
        until(lambda: len(made.children()) == 2)
        yield made
    finally:
        made.end()


def answers(port: int) -> set[int]:
    """Ask over ten connections, one after another, and return the codes."""
    found = set()
    for _ in range(10):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        connection.request("POST", "/v2/models/churn/infer", request())
        found.add(connection.getresponse().status)
        connection.close()
    return found


def test_a_process_that_dies_is_started_again_and_none_outlives_the_first(
    several: Several, tmp_path: Path
) -> None:
    """Each has a state of its own; those whose parent was killed stop: halts given here would not reach them."""
    assert answers(several.port) == {200}
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"several-0", "several-1"}
    before = several.children()
    before["1"].kill()
    after = until(lambda: len(found := several.children()) == 2 and found["1"] != before["1"] and found)
    assert after["0"] == before["0"]
    assert answers(several.port) == {200}
    several.process.kill()
    gone, alive = psutil.wait_procs(after.values(), timeout=WAIT_S)
    assert (len(gone), alive) == (2, [])


def test_told_to_stop_all_of_them_stop(several: Several) -> None:
    """The first ends with 0 once the others have."""
    children = several.children()
    several.process.terminate()
    assert several.process.wait(WAIT_S) == 0
    assert psutil.wait_procs(children.values(), timeout=0.0)[1] == []
