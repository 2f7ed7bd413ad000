"""The controller on a real Kafka: from a register to a rollback, as a process."""

from __future__ import annotations

import subprocess
import sys

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from controlled import APPROVAL_HOURS, PROFILE, Hall, package
from rig import settle

from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.notes import Note
from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.audit.topic import LAST_NOTES, notes_of
from driftline.deploy.local.compacted import produce
from driftline.deploy.local.environment import child_environment
from driftline.deploy.local.kafka_topics import ensure_topics
from driftline.schemas.settings import kafka_config, producer_config


def test_from_a_register_to_a_rollback(hall: Hall) -> None:
    """Registered, validated, created, promoted and rolled back: each is told once, published, and checkpointed.

    What lacks approvals waits for as long as the settings say of its tier.
    """
    hall.start()
    for version in ("1", "2"):
        made = package(version)
        hall.does("register", "ann", model=made.model, manifest=made.manifest, profile=PROFILE)
        hall.does("validate", "val", model=made.model, evidence="ef" * 32)
    one, two = package("1").model, package("2").model

    def revision() -> int:
        return hall.states()["churn"][-1].revision

    created = hall.does("create", "ann", model=one, expected_revision=revision())
    assert created.revision_after == 5
    hall.wait(lambda told: any(r.event == "moved" and r.revision_after == 6 for r in told))
    hall.does("promote", "ann", model=two, expected_revision=revision())
    hall.wait(lambda told: any(r.event == "moved" and r.revision_after == 8 for r in told))
    refused = hall.ask("promote", "ann", model=two, expected_revision=3)
    assert refused.reject == "revision_conflict"
    hall.does("rollback", "ann", model=one, expected_revision=revision())
    hall.does("configure", "ann", settings={"deployment": "churn", "owner": "Ana"})
    waits = hall.ask("forget", "sue", target="p-1")
    assert waits.detail is not None
    assert (waits.event, waits.detail["until_ms"] - waits.decided_at_ms) == (
        "waits",
        APPROVAL_HOURS * 3_600_000,
    )
    last = hall.states()["churn"][-1]
    assert (last.champion, last.revision) == (one, 9)
    last_note = notes_of(hall.settings.kafka)[-1]
    assert Checkpoint.of(Note.parse(last_note)).size == len(hall.audit())
    hall.agree()


def test_a_record_that_somebody_adds_stops_the_next_controller_and_rubbish_among_checkpoints_none(
    hall: Hall,
) -> None:
    """Rubbish and an open transaction hide where the last one signed: it goes on; a record that none signed ends it.

    What was signed is put back without that record, and a controller goes on from there.
    """
    running = hall.start()
    open_one = Producer(
        producer_config(hall.settings.kafka, transactional_id="somebody", transaction_timeout_ms=600_000)
    )
    open_one.init_transactions(30)
    open_one.begin_transaction()
    open_one.produce(hall.settings.kafka.topic_prefix + "checkpoints", b"rubbish")
    open_one.flush(30)
    hall.ask("halt-serving", "oli")
    running.terminate()
    assert running.wait(30) == 0
    for _ in range(LAST_NOTES):
        hall.publish("checkpoints", b"rubbish")
    hall.flush()
    running = hall.start()
    hall.ask("halt-serving", "oli")
    running.terminate()
    assert running.wait(30) == 0
    open_one.abort_transaction(30)
    audit = hall.audit()
    forged = AuditRecord(seq=len(audit), prev_hash=digest(audit[-1]), event="moved", decided_at_ms=0)
    produce(hall.settings.kafka, "audit", b"", forged.to_bytes())
    assert hall.start().wait(60) == 1
    assert "no controller signed the last 1: somebody else wrote them" in hall.log()
    assert len(hall.audit()) == len(audit) + 1
    put_back(hall)
    assert hall.audit() == audit
    hall.start()
    hall.ask("halt-serving", "oli")
    hall.agree()


def put_back(hall: Hall) -> None:
    """Export the audit, make its topics anew, and restore what controllers signed, by the commands that people have."""

    def says(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "driftline.deploy.cli", "audit", *words],
            env=child_environment(hall.settings), cwd=hall.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout if done.returncode == 0 else done.stderr

    assert says("export", "put-away")
    kafka = hall.settings.kafka
    assert f"topic '{kafka.topic_prefix}audit' holds " in says("restore", "put-away")
    admin = AdminClient(kafka_config(kafka))
    names = [kafka.topic_prefix + name for name in ("audit", "checkpoints")]
    for gone in admin.delete_topics(names).values():
        gone.result(60)
    assert settle(lambda: [name for name in names if name in admin.list_topics(timeout=10).topics], 60) == []
    assert "'driftline migrate --topics' makes it" in says("restore", "put-away")
    ensure_topics(hall.settings)
    told: list[str] = []

    def not_there_yet() -> list[str]:
        told[:] = says("restore", "put-away").splitlines()
        return [line for line in told if "cannot be read" in line]

    assert settle(not_there_yet, 60) == []
    assert told[1:2] == ["1 records behind them are left out: no controller signed them"], told
