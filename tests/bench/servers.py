"""The servers of the benchmark `serve`, each a process, and the one client of all of them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psutil

from driftline.deploy.local.ports import free_port

SERVER: Final = Path(__file__).with_name("serving_server.py")
CONNECTIONS: Final = 16
START_S: Final = 120.0


class Server:
    """A server that answers on its standard output what it is told on its standard input."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, str(SERVER), *words]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self._read()["port"])

    def cpu_s(self) -> float:
        """Processor time it took so far, s."""
        return float(self.said("cpu")["cpu_s"])

    def said(self, word: str) -> dict[str, Any]:
        """Tell it something; give what it answers."""
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(30)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a server of the benchmark ended")
        told: dict[str, Any] = json.loads(line)
        return told


class MLServer:
    """MLServer in an environment of its own, with the estimator fitted again on the rows of the folder."""

    def __init__(self, python: Path, folder: Path) -> None:
        ports: list[int] = []
        for _ in range(3):
            ports.append(free_port(set(ports)))
        script = Path(__file__).with_name("peers") / "run_mlserver.py"
        self._log = (folder / "mlserver.log").open("w")
        self._process = subprocess.Popen(
            [str(python), str(script), str(folder), *map(str, ports)],
            stdout=self._log,
            stderr=self._log,
            # One thread of OpenMP: those that spin would be counted against it.
            env={one: value for one, value in os.environ.items() if one != "PYTHONPATH"}
            | {"OMP_NUM_THREADS": "1"},
        )
        self.port = ports[0]
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def cpu_s(self) -> float:
        """Processor time it and its children took so far, s."""
        process = psutil.Process(self._process.pid)
        taken = [process.cpu_times(), *(one.cpu_times() for one in process.children(recursive=True))]
        return float(sum(one.user + one.system for one in taken))

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(30)
        self._log.close()

    def _wait(self) -> None:
        """Wait until its model answers."""
        until_s = time.monotonic() + START_S
        while self._process.poll() is None and time.monotonic() < until_s:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v2/models/bench/ready", timeout=5)
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
            else:
                return
        raise RuntimeError("MLServer did not start")


async def load(port: int, wanted: bytes, go_on: Callable[[], bool]) -> list[float]:
    """Ask over some connections as long as it is to go on; give how long each answer took, s."""
    taken: list[float] = []

    async def caller() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while go_on():
            asked_s = time.perf_counter()
            writer.write(wanted)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"a request failed: {head[:100]!r}")
            at = head.index(b"content-length:") + len(b"content-length:")
            await reader.readexactly(int(head[at:].split(b"\r\n", 1)[0]))
            taken.append(time.perf_counter() - asked_s)
        writer.close()

    await asyncio.gather(*(caller() for _ in range(CONNECTIONS)))
    return taken


def loaded_for(port: int, wanted: bytes, seconds: float) -> list[float]:
    """Ask for a time; give how long each answer took, s."""
    until_s = time.perf_counter() + seconds
    return asyncio.run(load(port, wanted, lambda: time.perf_counter() < until_s))
