"""A controller under test: keys and trust of `signed`, packages made of nothing, processes, fake serving instances."""

from __future__ import annotations

import base64
import hashlib
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from confluent_kafka import Producer
from office_audit import rebuilt
from signed import command, key, pem, person, policy, signed, text, trust

from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.audit.report import Pins
from driftline.agents.audit.topic import Reader, notes_of
from driftline.agents.audit.verify import Verifier
from driftline.agents.audit.writer import begin
from driftline.agents.control.signing import sign
from driftline.agents.serving.package.manifest import File, Golden, Manifest, Reference
from driftline.agents.serving.package.tensors import Tensor
from driftline.deploy.local.compacted import produce, records
from driftline.deploy.local.environment import child_environment
from driftline.schemas.control.command import Command, ModelRef, Op
from driftline.schemas.control.envelope import MANIFEST, Envelope
from driftline.schemas.control.serving_state import ServingState, Tier
from driftline.schemas.control.trust import Agent
from driftline.schemas.deployment_state import serving_of
from driftline.schemas.settings import Control, Settings, producer_config

PROFILE: Final = "cd" * 32
APPROVAL_HOURS: Final = 6.0
"""What the settings of a hall's controllers say of tier low."""
SHIFTS: Final = 40
"""How many people of each kind take turns at asking: nobody may ask more than 1,000 times an hour."""
WAIT_S: Final = 180.0
INSTANCES: Final = ("serving-1", "serving-2", "serving-3")


class Package(NamedTuple):
    """What a register names."""

    model: ModelRef
    manifest: str


def package(version: str, tier: Tier = "low", name: str = "churn", *, word: str = "ann") -> Package:
    """Return the signed manifest of a package that has no files anywhere."""
    files = tuple(
        File(path=path, size=1, sha256=hashlib.sha256(path.encode()).hexdigest())
        for path in ("model.onnx", "golden.json", "reference.profile")
    )
    manifest = Manifest(
        name=name, version=version, format="onnx", model="model.onnx", files=files,
        inputs=(Tensor(name="X", datatype="FP32", shape=(-1, 1)),),
        outputs=(Tensor(name="p", datatype="FP32", shape=(-1, 1)),),
        golden=Golden(file="golden.json", rows=1, rtol=1e-4, atol=1e-4),
        owner="Ana", purpose="a test", tier=tier, oversight="Bo", training_data="ab" * 32,
        provenance="none", target="left", profile=Reference(file="reference.profile", digest=PROFILE),
    )  # fmt: skip
    envelope = sign(MANIFEST, manifest.to_bytes(), key(word))
    return Package(manifest.ref(), base64.b64encode(envelope.to_bytes()).decode())


def serving_trust(**fields: Any) -> Any:
    """Return the trust of `signed` with three agents, and with people who take turns at asking."""
    agents = tuple(Agent(id=name, keys=(text(name),)) for name in INSTANCES)
    made = trust(**{"agents": agents, **fields})
    roles = {"ann": ("engineer", "operator"), "val": ("validator",)}
    shifts = (person(f"{name}-{shift}", *roles[name]) for name in roles for shift in range(SHIFTS))
    return msgspec.structs.replace(made, persons=(*made.persons, *shifts))


def now_ms() -> int:
    """Return the time, ms since 1970."""
    return time.time_ns() // 1_000_000


class Hall:
    """An installation on a lane, its controllers as processes, and people who ask.

    Attributes:
        settings: of the lane, with keys and genesis.
        controllers: processes, in the order in which they were started.
        sent: digests of all that was asked.
    """

    def __init__(self, lane: Settings, folder: Path) -> None:
        self.folder = folder
        self.settings = lane
        _, first = begin(serving_trust(), policy().text, now_ms())
        produce(lane.kafka, "audit", b"", first)
        for word in ("controller", "checkpoint"):
            file = folder / f"{word}.pem"
            file.write_bytes(pem(word))
            file.chmod(0o600)
        control = Control(
            genesis=digest(first),
            controller_key=str(folder / "controller.pem"),
            checkpoint_key=str(folder / "checkpoint.pem"),
            approval_hours_low=APPROVAL_HOURS,
        )
        self.settings = msgspec.structs.replace(lane, control=control)
        self.controllers: list[subprocess.Popen[bytes]] = []
        self.sent: list[str] = []
        self._producer = Producer(producer_config(lane.kafka, linger_ms=0))

    def start(self) -> subprocess.Popen[bytes]:
        """Start one more controller."""
        with (self.folder / f"controller-{len(self.controllers)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "driftline.deploy.cli", "controller"],
                env=child_environment(self.settings), stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip
        self.controllers.append(process)
        return process

    def dismiss(self) -> None:
        """End every controller that still lives."""
        for process in self.controllers:
            if process.poll() is None:
                process.kill()
            process.wait(20)

    def log(self, number: int = -1) -> str:
        """Return what a controller said."""
        at = range(len(self.controllers))[number]
        return (self.folder / f"controller-{at}.log").read_text(errors="replace")

    def publish(self, topic: str, value: bytes, name: str = "") -> None:
        """Put a record on a topic; `flush` waits for it."""
        self._producer.produce(self.settings.kafka.topic_prefix + topic, value, name.encode())
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until the broker has all that was published."""
        assert self._producer.flush(180) == 0

    def send(self, op: Op, *words: str, **fields: Any) -> Envelope:
        """Let somebody ask, and not wait."""
        asked: Command = command(op, **{"at_ms": now_ms(), **fields})
        envelope = signed(asked, *words)
        self.publish("deployment-control", envelope.to_bytes())
        self.sent.append(envelope.digest)
        return envelope

    def ask(self, op: Op, *words: str, **fields: Any) -> AuditRecord:
        """Let somebody ask; return the record that tells what came of it."""
        envelope = self.send(op, *words, **fields)
        self.flush()
        return self.wait(lambda told: next((one for one in told if one.command == envelope.digest), None))

    def does(self, op: Op, *words: str, **fields: Any) -> AuditRecord:
        """Let something be asked that takes effect."""
        record = self.ask(op, *words, **fields)
        assert record.event == "effective", (record.reject, record.reasons)
        return record

    def audit(self) -> list[bytes]:
        """Return all of the audit that is committed."""
        with closing(Reader(self.settings.kafka)) as reader:
            return list(reader.to_the_end())

    def told(self) -> list[AuditRecord]:
        """Return the audit, read."""
        return [AuditRecord.from_bytes(one) for one in self.audit()]

    def wait(self, found: Callable[[list[AuditRecord]], Any], seconds: float = WAIT_S) -> Any:
        """Wait until something is found in the audit, and return it."""
        with closing(Reader(self.settings.kafka)) as reader:
            read: list[AuditRecord] = []
            deadline = time.monotonic() + seconds
            while True:
                read += [AuditRecord.from_bytes(one) for one in reader.read(0.1)]
                what = found(read)
                if what is not None and what is not False:
                    return what
                assert time.monotonic() < deadline, [(one.event, one.op, one.reasons) for one in read[-10:]]

    def states(self) -> dict[str, list[ServingState]]:
        """Return every revision of what serves as it lies in `deployment-state`."""
        made: dict[str, list[ServingState]] = {}
        for message in records(self.settings.kafka, "deployment-state"):
            serving = serving_of(message.key(), message.value() or b"")
            if serving is not None:
                state = ServingState.from_bytes(Envelope.from_bytes(serving, 1 << 20).body)
                made.setdefault(state.deployment, []).append(state)
        return made

    def agree(self) -> list[AuditRecord]:
        """Hold the audit against what was asked and what is published: no gap, no double, the same state."""
        audit = self.audit()
        report = Verifier(
            Pins(self.settings.control.genesis), notes_of(self.settings.kafka), signatures=True
        ).run(audit)
        assert report.fault is None, str(report.fault)
        read = [AuditRecord.from_bytes(one) for one in audit]
        offsets = [m.offset() for m in records(self.settings.kafka, "deployment-control")]
        told = decided(read)
        assert told == sorted(set(told))
        flooded = [one.unread for one in read if one.unread is not None and one.source is None]
        rest = set(offsets) - set(told)
        assert sum(one.count for one in flooded) == len(rest)
        assert all(any(one.first_offset <= at <= one.last_offset for one in flooded) for at in rest)
        desk = rebuilt(read, lambda _: pytest_fails())
        states = self.states()
        assert {name: one[-1] for name, one in states.items()} == desk.states
        for name, revisions in states.items():
            # Settings are published beside the revision that is so: the same one again, and no other of its number.
            once = [state for at, state in enumerate(revisions) if at == 0 or state != revisions[at - 1]]
            numbers = [one.revision for one in once]
            assert numbers == list(range(1, len(numbers) + 1)), name
        return read


@pytest.fixture
def hall(lane: Settings, tmp_path: Path) -> Iterator[Hall]:
    """An installation that has begun, without a controller yet; none is left behind."""
    made = Hall(lane, tmp_path)
    yield made
    made.dismiss()


def decided(read: list[AuditRecord]) -> list[int]:
    """Return the offsets of commands in the order of the audit; what a vote led to is told with the vote."""
    found: list[int] = []
    for before, record in itertools.pairwise(read):
        source = record.source
        is_led_to = before.event == "approved" and before.source == source
        if source is not None and source.topic == "deployment-control" and not is_led_to:
            found.append(source.offset)
    return found


def pytest_fails() -> Any:
    """Fail: a desk that stands where its audit ends looks at nothing."""
    raise AssertionError("a desk looked")
