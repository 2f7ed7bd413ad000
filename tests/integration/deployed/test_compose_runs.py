"""The services of docker-compose.yml that are ours, run outside containers as it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from composed import compose_file, parts_of
from deployed import Part, placed

from driftline.deploy.cli import main
from driftline.deploy.local.ports import free_port
from driftline.schemas.settings import Settings

WAIT_S = 200.0
POLL_S = 0.5
ONCE_S = 10.0
"""Docker's own grace, which what runs once is left with."""
OURS = (sys.executable, "-m", "driftline.deploy.cli")


PLAIN = {
    "DRIFTLINE_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
    "DRIFTLINE_KAFKA_SASL_MECHANISM": "",
    "DRIFTLINE_KAFKA_SASL_USERNAME": "",
    "DRIFTLINE_KAFKA_SASL_PASSWORD": "",
    "DRIFTLINE_KAFKA_SSL_CA_LOCATION": "",
}
"""The tests' own Kafka has no users; test_compose_access.py tries those of the compose file."""


class Compose:
    """Runs parts as `docker compose up` would: each with its own variables, volumes and nothing else of driftline's.

    Args:
        parts: as the compose file says.
        lane: where Kafka and ClickHouse are on this machine.
        root: a folder for each volume is made there.
    """

    def __init__(self, parts: dict[str, Part], lane: Settings, root: Path) -> None:
        self._root, self._taken = root, set[int]()
        self._servers = PLAIN | {
            "DRIFTLINE_KAFKA_BOOTSTRAP": lane.kafka.bootstrap,
            "DRIFTLINE_KAFKA_TOPIC_PREFIX": lane.kafka.topic_prefix,
            "DRIFTLINE_CLICKHOUSE_HOST": lane.clickhouse.host,
            "DRIFTLINE_CLICKHOUSE_PORT": str(lane.clickhouse.port),
            "DRIFTLINE_CLICKHOUSE_USER": lane.clickhouse.user,
            "DRIFTLINE_CLICKHOUSE_DATABASE": lane.clickhouse.database,
        }
        sources = {mount.source.partition("/")[0] for part in parts.values() for mount in part.mounts}
        for source in sources - {""}:  # a path of the checkout
            (root / source).mkdir(mode=0o700)
        self.parts = {name: self._here(part) for name, part in parts.items()}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def _here(self, part: Part) -> Part:
        """A part with the paths, ports and servers of this machine in place of those of containers."""
        moved = placed(part, self._root)
        ports = {str(port): str(free_port(self._taken)) for port in sorted(part.ports)}
        self._taken |= set(map(int, ports.values()))
        env = {name: ports.get(value, value) for name, value in moved.env.items()}
        if "DRIFTLINE_CONFIG" in env:
            env |= self._servers
        return replace(
            moved,
            env=env,
            health=tuple(tuple(ports.get(word, word) for word in words) for words in moved.health),
        )

    def once(self, name: str) -> str:
        """Run a part to its end, which must be a good one; gives what it said."""
        done = subprocess.run(
            [*OURS, *self.parts[name].argv], env=self._env(name), cwd=self._cwd(name),
            capture_output=True, text=True, timeout=WAIT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{name}: {done.stderr}"
        return done.stdout

    def start(self, *names: str) -> None:
        """Start parts that run on."""
        for name in names:
            with self._log(name).open("ab") as log:
                self.running[name] = subprocess.Popen(
                    [*OURS, *self.parts[name].argv],
                    env=self._env(name),
                    cwd=self._cwd(name),
                    stdout=log,
                    stderr=log,
                )

    def wait_healthy(self, name: str) -> None:
        """Wait until the part's own health check passes, as Docker would."""
        deadline = time.monotonic() + WAIT_S
        for words in self.parts[name].health:
            while main(words):
                assert self.running[name].poll() is None, f"{name} ended: {self.said(name)}"
                assert time.monotonic() < deadline, f"{name} is not healthy: {self.said(name)}"
                time.sleep(POLL_S)
        assert self.running[name].poll() is None, self.said(name)

    def stop(self) -> dict[str, int]:
        """Tell all that run to end, and give their codes; one that takes longer than its grace is killed."""
        for child in self.running.values():
            child.send_signal(signal.SIGTERM)
        codes = {}
        for name, child in self.running.items():
            try:
                codes[name] = child.wait(self.parts[name].grace_s)
            except subprocess.TimeoutExpired:
                child.kill()
                codes[name] = child.wait()
        self.running = {}
        return codes

    def said(self, name: str) -> str:
        """What a part said last."""
        return self._log(name).read_text(errors="replace")[-2_000:]

    def written(self) -> list[Path]:
        """What parts wrote where the image can not be written."""
        return [path for path in self._root.glob("cwd-of-*/**/*") if path.is_file()]

    def _env(self, name: str) -> dict[str, str]:
        plain = {key: value for key, value in os.environ.items() if not key.startswith("DRIFTLINE_")}
        return plain | dict(self.parts[name].env)

    def _cwd(self, name: str) -> Path:
        """An empty folder: the image's own, which a part may not write."""
        folder = self._root / f"cwd-of-{name}"
        folder.mkdir(exist_ok=True)
        return folder

    def _log(self, name: str) -> Path:
        return self._root / f"{name}.log"


@pytest.fixture
def compose(checkout: Path, lane: Settings, tmp_path: Path) -> Iterator[Compose]:
    """Our services on the lane's Kafka and ClickHouse."""
    made = Compose(parts_of(compose_file(checkout)), lane, tmp_path)
    yield made
    made.stop()


@pytest.mark.timeout(300)
def test_every_service_runs_as_the_file_says(compose: Compose) -> None:
    """Each of our services does its work or is healthy with its variables, volumes and nothing else, and ends in time.

    None writes anywhere but into its volumes; `seed` leaves what controller, agent and witness read.
    """
    for name in ("secrets", "migrate", "seed"):
        compose.once(name)
    lasting = [name for name, part in compose.parts.items() if part.grace_s > ONCE_S]
    compose.start(*lasting)
    for name in lasting:
        compose.wait_healthy(name)
    assert "there already" in compose.once("seed")
    assert compose.stop() == dict.fromkeys(lasting, 0)
    assert compose.written() == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_s_model_answers(compose: Compose) -> None:
    """After `first-model` the agent is ready, for the installation that `seed` began; a second run finds it so."""
    for name in ("secrets", "migrate", "seed"):
        compose.once(name)
    compose.start("controller", "agent")
    for name in ("controller", "agent"):
        compose.wait_healthy(name)
    assert "answers" in compose.once("first-model")
    port = compose.parts["agent"].health[0][1]
    asked = [*OURS, "healthy", port, "--path", "/v2/models/flights-live/ready"]
    assert subprocess.run(asked, check=False).returncode == 0, compose.said("agent")
    assert "already" in compose.once("first-model")
