"""A real installation under test: Kafka, a controller, serving agents as processes, people who change what serves."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from agent_process import AgentProcess
from controlled import INSTANCES, PROFILE, WAIT_S, Hall, now_ms
from memory_wire import key_file
from office import EVIDENCE, NEEDS_REVISION
from onnx import TensorProto, helper, numpy_helper
from packaged import COLUMNS, about, packed, saved
from rollout_windows import good, hour
from signed import key

from driftline.agents.audit.record import AuditRecord
from driftline.agents.audit.topic import Reader
from driftline.agents.serving.package.layout import FILE
from driftline.agents.serving.package.stores import folder_store
from driftline.deploy.local.compacted import records
from driftline.deploy.local.environment import child_environment
from driftline.schemas.control.ack import Ack
from driftline.schemas.control.command import ModelRef, Op, Plan, Step
from driftline.schemas.control.envelope import ACK, Envelope
from driftline.schemas.control.serving_state import ServingState, Tier
from driftline.schemas.settings import Settings

STEPS = Plan(steps=(Step(weight=1_000, min_rows=100), Step(weight=5_000, min_rows=100)), bake_s=0)
APPROVER = "bob"


class Town:
    """One deployment, `churn`, its controller and its agents.

    Args:
        lane: of the real stack.
        folder: of all files.
        tier: of every package.

    Attributes:
        hall: keys, and the controller's processes.
        agents: processes, in the order in which they were started.
        told: the audit, as far as it was read.
        packages: by version.
    """

    def __init__(self, lane: Settings, folder: Path, tier: Tier = "medium") -> None:
        self.folder, self.tier = folder, tier
        self.hall = Hall(lane, folder)
        self.agents: list[AgentProcess] = []
        self.packages: dict[str, ModelRef] = {}
        self.told: list[AuditRecord] = []
        self._manifests: dict[str, str] = {}
        self._hours = 0
        self._reader = Reader(lane.kafka)
        self._env = child_environment(lane) | {
            "DRIFTLINE_CONTROL_GENESIS": self.hall.settings.control.genesis,
            "DRIFTLINE_SERVE_REQUEST_SECONDS": "60",
        }

    def agent(self, *, store: Path | None = None, **env: str) -> AgentProcess:
        """Start one more agent; `store` is another one than the town's."""
        name = INSTANCES[len(self.agents)]
        place = str(store or self.folder / "store")
        more = {"DRIFTLINE_SERVE_KEY": key_file(self.folder, name), "DRIFTLINE_PACKAGES_STORE": place}
        made = AgentProcess(self._env | more | env, self.folder, name)
        self.agents.append(made)
        return made

    def opens(self, *versions: str, agents: int = 2) -> None:
        """Begin: a controller, agents, packages, and the first of them as champion."""
        self.hall.start()
        for _ in range(agents):
            self.agent()
        self.knows(*versions)
        self.does("create", "ann", model=self.packages[versions[0]])
        self.ready()

    def ready(self) -> None:
        """Wait until every agent lives and serves the newest revision, whatever a test before left."""
        for one in self.agents:
            if one.process.poll() is not None:
                one.start()
        self.applied()
        if self.state.halt is not None:
            self.does("resume", "ann", target="serving")
            self.applied()
        for one in self.agents:
            # An agent that has joined a moment ago is live, and may know of no deployment yet.
            one.until(lambda one=one: one.ask("/v2/models/churn/ready")[0] == 200)
        for version in self.state.versions:
            if version.stage == "rolled_back":
                self.does("validate", "val", model=version.model, evidence=EVIDENCE)

    @property
    def champion(self) -> str:
        """The version that answers."""
        found = self.state.champion
        assert found is not None
        return found.version

    def close(self) -> None:
        """End every process."""
        with ExitStack() as rest:
            rest.callback(self._reader.close)
            rest.callback(self.hall.dismiss)
            for one in self.agents:
                rest.callback(one.kill)

    # The audit.

    def read(self) -> list[AuditRecord]:
        """Return the audit, with what came since."""
        self.told += [AuditRecord.from_bytes(one) for one in self._reader.read(0.05)]
        return self.told

    def reopen(self) -> None:
        """Read the audit anew, after Kafka was away."""
        self._reader.close()
        self._reader, self.told = Reader(self.hall.settings.kafka), []
        self.told += [AuditRecord.from_bytes(one) for one in self._reader.to_the_end()]

    def wait(self, found: Callable[[AuditRecord], bool], seconds: float = WAIT_S) -> AuditRecord:
        """Wait for a record, and return the first such."""
        deadline, at = time.monotonic() + seconds, 0
        while True:
            for record in self.read()[at:]:
                at += 1
                if found(record):
                    return record
            assert time.monotonic() < deadline, [
                (one.event, one.op, one.reject, one.reasons) for one in self.told[-12:]
            ]

    def states(self) -> list[ServingState]:
        """Return every revision that the audit tells of."""
        texts = [(one.detail or {}).get("state") for one in self.read()]
        return [ServingState.from_bytes(one.encode()) for one in texts if one is not None]

    @property
    def state(self) -> ServingState:
        """What the controller says is so."""
        return self.states()[-1]

    def applied(self) -> ServingState:
        """Wait until the newest revision is no preparation and all live instances serve it; return it."""
        deadline = time.monotonic() + WAIT_S
        while True:
            told = self.read()
            state = self.state
            last = [one for one in told if one.event == "applied" and one.detail]
            if state.phase == "activate" and last and (last[-1].detail or {})["revision"] == state.revision:
                return state
            assert time.monotonic() < deadline, [(one.event, one.op, one.reasons) for one in told[-12:]]

    def acks(self) -> list[Ack]:
        """Return all acks of the topic."""
        values = [message.value() or b"" for message in records(self.hall.settings.kafka, "acks")]
        envelopes = [Envelope.from_bytes(value) for value in values]
        return [Ack.from_bytes(one.body) for one in envelopes if one.payload_type == ACK]

    # People.

    def asks(self, op: Op, who: str, **fields: Any) -> AuditRecord:
        """Let somebody ask, and another person approve where that is needed; return what came of it."""
        if op in NEEDS_REVISION and "expected_revision" not in fields:
            fields["expected_revision"] = self.state.revision
        asked = self.hall.send(op, who, **fields)
        self.hall.flush()
        first = self.wait(lambda one: one.command == asked.digest)
        if first.event != "waits":
            return first
        self.hall.send("approve", APPROVER, target=asked.digest)
        self.hall.flush()
        return self.wait(
            lambda one: one.command == asked.digest and one.event in ("effective", "failed", "lapsed")
        )

    def does(self, op: Op, who: str, **fields: Any) -> AuditRecord:
        """Let something be asked that takes effect."""
        record = self.asks(op, who, **fields)
        assert record.event == "effective", (record.event, record.op, record.reject, record.reasons)
        return record

    def knows(self, *versions: str) -> None:
        """Let packages be made, registered and validated; version n answers n for every row."""
        for version in versions:
            if version not in self.packages:
                self._pack(version)
            model = self.packages[version]
            self.does("register", "ann", model=model, manifest=self._manifests[version], profile=PROFILE)
            self.does("validate", "val", model=model, evidence=EVIDENCE)

    def passes_a_step(self, canary: str, champion: str) -> ServingState:
        """Let the hour in which the step began and the next pass it; return the state after it."""
        before = self.state.revision
        self._hours += 2
        for number in (self._hours - 1, self._hours):
            both = good(canary, "canary", **hour(number)), good(champion, "champion", **hour(number))
            for one in chain(*both):
                self.hall.publish("windows", replace(one, computed_at_ms=now_ms()).to_bytes(), "churn")
        self.hall.flush()
        self.wait(lambda one: one.event == "moved" and (one.revision_after or 0) > before)
        return self.applied()

    def _pack(self, version: str) -> None:
        folder = self.folder / f"package-{version}"
        folder.mkdir()
        model = constant(folder / "model.onnx", float(version))
        said = about(version=version, tier=self.tier)
        made = packed(folder, model=model, about=said, signers=(key("ann"),))
        folder_store(self.folder / "store", make=True).push(made.folder, made.signed)
        self.packages[version] = made.signed.ref
        self._manifests[version] = base64.b64encode((made.folder / FILE).read_bytes()).decode()


def constant(path: Path, value: float) -> Path:
    """Write an ONNX model of three columns that answers a number for every row."""
    kind, width = TensorProto.FLOAT, len(COLUMNS)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["X", "w"], ["m"]), helper.make_node("Add", ["m", "b"], ["p"])],
        "constant",
        [helper.make_tensor_value_info("X", kind, ["rows", width])],
        [helper.make_tensor_value_info("p", kind, ["rows", 1])],
        [
            numpy_helper.from_array(np.zeros((width, 1), np.float32), "w"),
            numpy_helper.from_array(np.array([value], np.float32), "b"),
        ],
    )
    return saved(path, graph)
