"""`driftline serve` on a real Kafka: states are followed, predictions and acks arrive, a halt is obeyed without it."""

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

import msgspec
from believing import FIRST, PIN
from memory_wire import key_file
from office import EVIDENCE, PROFILE, Office
from packaged import about, packed
from served import request
from signed import key

from driftline.agents.serving.package.store import folder_store
from driftline.deploy.local.compacted import produce, records
from driftline.deploy.local.environment import child_environment
from driftline.schemas.columns import read_predictions
from driftline.schemas.control.ack import Ack
from driftline.schemas.control.envelope import ACK, Envelope
from driftline.schemas.deployment_state import defaults
from driftline.schemas.partition import partition_of
from driftline.schemas.settings import Settings

WAIT_S = 60.0


def until(holds: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    """Wait until something holds, and give it; fails when the process ends before."""
    deadline = time.monotonic() + WAIT_S
    while not (found := holds()):
        assert process.poll() is None, "the agent ended"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


class Kafka:
    """The topics of a lane, read and written."""

    def __init__(self, lane: Settings) -> None:
        self._kafka = lane.kafka

    def put(self, topic: str, name: str, value: bytes) -> None:
        """Write a record."""
        produce(self._kafka, topic, name.encode(), value)

    def values(self, topic: str, partition: int = 0) -> list[bytes]:
        """Read a partition to its end."""
        found = records(self._kafka, topic)
        return [message.value() or b"" for message in found if message.partition() == partition]

    def acks(self) -> list[tuple[int, str, str]]:
        """Revision, outcome and reason of all acks."""
        envelopes = [Envelope.from_bytes(value) for value in self.values("acks")]
        found = [Ack.from_bytes(one.body) for one in envelopes if one.payload_type == ACK]
        return [(one.revision, one.outcome, one.reason) for one in found]


class Running:
    """An agent as a process."""

    def __init__(self, lane: Settings, folder: Path, files: dict[str, str]) -> None:
        self.env = child_environment(lane) | {
            "DRIFTLINE_CONTROL_GENESIS": PIN,
            "DRIFTLINE_PACKAGES_STORE": str(folder / "store"),
            "DRIFTLINE_PACKAGES_CACHE_DIR": str(folder / "cache"),
            "DRIFTLINE_SERVE_STATE_DIR": str(folder / "state"),
            "DRIFTLINE_SERVE_INSTANCE": "agent",
            "DRIFTLINE_SERVE_PORT": "0",
            "DRIFTLINE_SERVE_DRAIN_SECONDS": "0.1",
            **files,
        }  # fmt: skip
        self._folder = folder
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with (self._folder / "agent.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "driftline.deploy.cli", "serve"],
                env=self.env, stdout=subprocess.PIPE, stderr=log, text=True, cwd=self._folder,
            )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r":(\d+)$", line)
        assert found is not None, line
        self.port = int(found[1])

    def kill(self) -> None:
        """End it at once, if it lives."""
        self.process.kill()
        self.process.communicate(timeout=10)

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
        told = json.loads(answer.read())
        connection.close()
        return answer.status, told

    def says(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `driftline` beside it."""
        return subprocess.run(
            [sys.executable, "-m", "driftline.deploy.cli", *words],
            env=self.env, capture_output=True, text=True, check=False, cwd=self._folder,
        )  # fmt: skip


def test_an_agent_follows_serves_tells_and_halts(lane: Settings, tmp_path: Path) -> None:
    """From the audit's first record to a prediction in its topic; a forged state is refused; a halt outlives a kill."""
    kafka, office = Kafka(lane), Office("low")
    office.now_ms = time.time_ns() // 1_000_000
    made = packed(tmp_path / "model", about=about(tier="low"), signers=(key("ann"),))
    ref = made.signed.ref
    folder_store(tmp_path / "store", make=True).push(made.folder, made.signed)
    kafka.put("audit", "", FIRST)
    office.does("register", "ann", model=ref, manifest="e30=", profile=PROFILE)
    office.does("validate", "val", model=ref, evidence=EVIDENCE)
    office.does("create", "ann", model=ref)

    def publish(serving: bytes) -> None:
        kafka.put("deployment-state", "churn", defaults("churn").to_bytes(serving=serving))

    publish(office.published())
    agent = Running(lane, tmp_path, {"DRIFTLINE_SERVE_KEY": key_file(tmp_path, "serving-1")})
    body = request(id="mine")
    try:
        until(lambda: agent.ask(body=body)[0] == 200, agent.process)
        assert agent.ask(body=body)[1]["model_version"] == "3"
        assert agent.ask("/v2/health/ready")[0] == 200
        until(lambda: (office.state.revision, "activated", "") in kafka.acks(), agent.process)
        partition = partition_of(b"churn", lane.kafka.partitions)
        stored = until(lambda: kafka.values("predictions", partition), agent.process)
        rows = read_predictions(stored[0])
        assert (rows.deployment, rows.model_version, rows.slot) == ("churn", "3", "champion")

        forged = msgspec.structs.replace(office.state, revision=office.state.revision + 1)
        publish(office.published(forged, word="ann"))
        until(lambda: any(outcome == "refused" for _, outcome, _ in kafka.acks()), agent.process)
        assert agent.ask(body=body)[0] == 200

        operator = key_file(tmp_path, "oli")
        halted = agent.says("halt", "local", "churn", "--reason", "it burns", "--key", operator, "--json")
        assert halted.returncode == 0, halted.stderr
        assert json.loads(halted.stdout)["instances"] == ["agent-0"]
        told = until(lambda: agent.ask(body=body)[0] == 503 and agent.ask(body=body), agent.process)
        assert told[1]["error"] == "churn serves nothing: halted by oli: it burns"
        until(lambda: len(kafka.values("deployment-control")) == 1, agent.process)
        agent.kill()
        agent.start()
        told = until(lambda: "halted by oli" in agent.ask(body=body)[1]["error"], agent.process)
        agent.process.terminate()
        assert agent.process.wait(30) == 0
        assert len(kafka.values("deployment-control")) == 1
    finally:
        agent.kill()
