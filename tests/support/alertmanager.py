"""The real Alertmanager (Debian's prometheus-alertmanager) as a child process, which tells one webhook."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from emit_rig import wait_for

PROGRAM = "prometheus-alertmanager"
CONFIG = """
route:
  receiver: hook
  group_by: [alertname, deployment]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs:
      - url: {hook}
        send_resolved: true
"""


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def alertmanager(folder: Path, hook: str, port: int, text: str = "") -> Iterator[str]:
    """Run it on a port, with a file of settings or one that tells `hook`; gives its address.

    Fails the test where the program is not installed.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        pytest.fail(f"{PROGRAM} is not installed: apt-get install {PROGRAM}", pytrace=False)
    config = folder / "alertmanager.yml"
    config.write_text(text or CONFIG.format(hook=hook))
    with (folder / "alertmanager.log").open("ab") as log:
        process = subprocess.Popen(
            [program, f"--config.file={config}", f"--storage.path={folder / 'alertmanager'}",
             f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_for(lambda: is_ready(port), f"{PROGRAM} is ready")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def is_ready(port: int) -> bool:
    """Whether it answers."""
    try:
        return asked(port, "/-/ready")[0] == 200
    except OSError:
        return False


def held(port: int) -> list[dict[str, Any]]:
    """The alerts that it holds."""
    found: list[dict[str, Any]] = json.loads(asked(port, "/api/v2/alerts")[1])
    return found


def asked(port: int, path: str) -> tuple[int, bytes]:
    """Its answer: status and bytes."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
