"""The audit: records verified a second, against what no verifier can do without: hashes, JSON, signatures.

Every record is that of a command with its signed envelope, as the controller writes them: some 1,300 bytes. The chain
and the tree are held against hashing each record twice and reading its JSON, signatures against checking as many with
nothing around them. From an export and from Kafka the clock is the wall's, and from memory the process's.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from driftline.agents.audit.checkpoint import cosigned
from driftline.agents.audit.export import export, exported_notes, exported_records
from driftline.agents.audit.record import digest
from driftline.agents.audit.report import Pins
from driftline.agents.audit.verify import Verifier
from driftline.agents.audit.writer import begin
from driftline.agents.control.keys import Key, of_seed, public_text
from driftline.agents.control.signing import holds, sign
from driftline.schemas.control.command import Command, ModelRef
from driftline.schemas.control.envelope import COMMAND, Envelope
from driftline.schemas.control.trust import Person, Root, Trust, Witness

RECORDS = 100_000
SIGNED = 10_000
ROUNDS = 5
CHAIN_TARGET = 50_000
SIGNED_TARGET = 5_000
NOON_MS = 1_800_000_000_000
INSTALLATION = "01890000-0000-7000-8000-00000000000a"
POLICY = "permit(principal, action, resource);"


def key(name: str) -> Key:
    """A key that is the same in every run."""
    return of_seed(hashlib.sha256(name.encode()).digest())


def trust() -> Trust:
    """The keys of a small installation."""

    def text(name: str) -> str:
        return public_text(key(name).public)

    return Trust(
        installation=INSTALLATION,
        origin="driftline.example/bench",
        root=Root(threshold=1, keys=(text("root"),)),
        controllers=(text("controller"),),
        checkpoints=(text("log"),),
        persons=(Person(id="ann", roles=("engineer",), keys=(text("ann"),)),),
        witnesses=(Witness(name="witness.example/1", key=text("witness")),),
    )


def written(count: int, *, distinct: bool) -> tuple[list[bytes], list[bytes]]:
    """Write a log; give its records and notes.

    Args:
        count: records.
        distinct: whether every command is another one, with a signature of its own.
    """
    log, first = begin(trust(), POLICY, NOON_MS)
    records, notes = [first], []
    envelope, manifest = None, hashlib.sha256(b"manifest").hexdigest()
    model = ModelRef(name="churn", version="7", manifest=manifest)
    for number in range(1, count):
        if envelope is None or distinct:
            said = Command(
                command_id=f"01890000-0000-7000-8000-{number:012x}", op="promote", audience=INSTALLATION,
                issued_at_ms=NOON_MS, expires_at_ms=NOON_MS + 600_000, nonce=f"{number:032x}", model=model,
                reason="it is better on the same rows", deployment="churn", expected_revision=number,
            )  # fmt: skip
            envelope = sign(COMMAND, said.to_bytes(), key("ann"))
        records.append(
            log.append(
                "effective", NOON_MS + number, op="promote", command=envelope.digest, actor="ann",
                envelope=envelope.to_bytes().decode(), deployment="churn", model=model, revision_before=number,
                revision_after=number + 1, policy=digest(POLICY.encode()), state_after=manifest,
            )
        )  # fmt: skip
        if log.size % 1_000 == 0:
            notes.append(
                cosigned(log.checkpoint(key("log")), "witness.example/1", key("witness"), 1).to_bytes()
            )
    return records, notes


def run(context: Any) -> list[dict[str, Any]]:
    """Measure verification from memory, from an export and from Kafka."""
    records, notes = written(RECORDS, distinct=False)
    signed, signed_notes = written(SIGNED, distinct=True)
    pin, signed_pin = Pins(digest(records[0])), Pins(digest(signed[0]))

    def chain() -> None:
        assert Verifier(pin, notes).run(records).witnessed == RECORDS

    def signatures() -> None:
        report = Verifier(signed_pin, signed_notes, signatures=True).run(signed)
        assert (report.fault, report.signatures) == (None, SIGNED - 1)

    envelopes = [Envelope.from_bytes(json.loads(one)["envelope"].encode()) for one in signed[1:]]
    bare = [(one.signed_bytes, _signature(one)) for one in envelopes]
    public = key("ann").public

    def verifications() -> None:
        for data, signature in bare:
            assert holds(public, signature, data)

    rows = [
        _row("audit: chain and tree, a core", RECORDS, chain, lambda: _hashes(records), CHAIN_TARGET),
        _row("audit: every signature, a core", SIGNED, signatures, verifications, SIGNED_TARGET),
    ]
    folder: Path = context.folder / "audit"
    shutil.rmtree(folder, ignore_errors=True)
    export(folder, records, notes)

    def exported() -> None:
        assert Verifier(pin, exported_notes(folder)).run(exported_records(folder)).witnessed == RECORDS

    rows.append(_row("audit: an export", RECORDS, exported, None, CHAIN_TARGET, time.perf_counter))
    return [*rows, _from_kafka(context, pin, records, notes)]


def _from_kafka(context: Any, pin: Pins, records: list[bytes], notes: list[bytes]) -> dict[str, Any]:
    from confluent_kafka import Producer

    from driftline.agents.audit.topic import Reader, notes_of
    from driftline.deploy.local.kafka_topics import ensure_topics
    from driftline.schemas.settings import producer_config

    kafka = msgspec.structs.replace(context.settings.kafka, topic_prefix=f"audit-{time.time_ns()}-")
    ensure_topics(msgspec.structs.replace(context.settings, kafka=kafka))
    producer = Producer(producer_config(kafka))
    for topic, values in (("audit", records), ("checkpoints", notes)):
        for value in values:
            while True:
                try:
                    producer.produce(kafka.topic_prefix + topic, value)
                    break
                except BufferError:
                    producer.poll(0.1)
    assert producer.flush(60) == 0

    def from_topic() -> None:
        reader = Reader(kafka)
        try:
            assert Verifier(pin, notes_of(kafka)).run(reader.to_the_end()).witnessed == RECORDS
        finally:
            reader.close()

    return _row("audit: the topic", RECORDS, from_topic, None, CHAIN_TARGET, time.perf_counter)


def _hashes(records: list[bytes]) -> None:
    for one in records:
        hashlib.sha256(one).digest()
        hashlib.sha256(b"\x00" + one).digest()
        json.loads(one)


def _signature(envelope: Envelope) -> bytes:
    return base64.b64decode(envelope.signatures[0].sig)


def _row(
    name: str, count: int, ours: Callable[[], None], bare: Callable[[], None] | None, target: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, Any]:  # fmt: skip
    pairs = []
    for _ in range(ROUNDS):
        began = clock()
        ours()
        mine = count / (clock() - began)
        if bare is None:
            pairs.append((mine, 0.0))
            continue
        began = clock()
        bare()
        pairs.append((mine, count / (clock() - began)))
    value = median(mine for mine, _ in pairs)
    row = {
        "name": name,
        "value": round(value),
        "unit": "records/s",
        "target": target,
        "reached": value >= target,
    }
    if bare is not None:
        row |= {
            "baseline": round(median(theirs for _, theirs in pairs)),
            "ratio": round(median(mine / theirs for mine, theirs in pairs), 2),
        }
    return row
