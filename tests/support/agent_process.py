"""A serving agent under test as a process of its own: started, asked, killed, started again."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WAIT_S = 180.0


class AgentProcess:
    """`driftline serve`, whose files lie in a folder.

    Args:
        env: of the process: where Kafka, the installation, the store and its key are.
        folder: where it is started, and what it says is kept.
        name: of the instance; its process number is added to it.

    Attributes:
        process: as it runs now.
        port: that it listens on.
    """

    def __init__(self, env: dict[str, str], folder: Path, name: str) -> None:
        self.env = env | {
            "DRIFTLINE_PACKAGES_CACHE_DIR": str(folder / f"cache-{name}"),
            "DRIFTLINE_SERVE_STATE_DIR": str(folder / f"state-{name}"),
            "DRIFTLINE_SERVE_INSTANCE": name,
            "DRIFTLINE_SERVE_PORT": "0",
            "DRIFTLINE_SERVE_DRAIN_SECONDS": "0.1",
        }
        self.instance = f"{name}-0"
        self.log = folder / f"{name}.log"
        self._folder = folder
        self.start()

    def start(self) -> None:
        """Start it."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "driftline.deploy.cli", "serve"],
                env=self.env, stdout=subprocess.PIPE, stderr=log, text=True, cwd=self._folder,
            )  # fmt: skip
        self._port = 0

    @property
    def port(self) -> int:
        """Where it listens; waits until it does."""
        if not self._port:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            found = re.search(r":(\d+)$", line)
            assert found is not None, line + self.said()
            self._port = int(found[1])
        return self._port

    def said(self) -> str:
        """What it said last."""
        return self.log.read_text(errors="replace")[-3_000:]

    def kill(self) -> None:
        """End it at once, if it lives."""
        self.process.kill()
        self.process.communicate(timeout=10)

    def stop(self) -> int:
        """Ask it to end, and give its code."""
        self.process.terminate()
        code = self.process.wait(60)
        self.process.communicate(timeout=10)
        return code

    def ask(
        self, path: str = "/v2/models/churn/infer", body: bytes | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Ask it; 0 where nobody listens yet."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request("GET" if body is None else "POST", path, body)
        except ConnectionRefusedError:
            return 0, {"error": ""}
        answer = connection.getresponse()
        text = answer.read()
        told = json.loads(text) if text.startswith(b"{") else {"text": text.decode()}
        connection.close()
        return answer.status, told

    def says(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `driftline` beside it."""
        return subprocess.run(
            [sys.executable, "-m", "driftline.deploy.cli", *words],
            env=self.env, capture_output=True, text=True, check=False, cwd=self._folder,
        )  # fmt: skip

    def until(self, holds: Callable[[], Any], seconds: float = WAIT_S) -> Any:
        """Wait until something holds, and give it; fails when the process ends before."""
        deadline = time.monotonic() + seconds
        while not (found := holds()):
            assert self.process.poll() is None, "the agent ended: " + self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)
        return found
