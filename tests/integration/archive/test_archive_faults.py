"""Faults of the house around the archive: each is one sentence or one loud count, and damages nothing."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from prometheus_client import CollectorRegistry
from real_stack import TestStack

from driftline.schemas.settings import Settings, kafka_config, producer_config
from driftline.streams.archive.errors import TopicError
from driftline.streams.clickhouse import reads
from driftline.streams.metrics import ArchiveMetrics
from driftline.streams.processors import archive


def run_until(settings: Settings, last: int, registry: CollectorRegistry | None = None) -> None:
    """Archive in a thread until the block log of emitter-status reaches an offset."""
    stopping = threading.Event()
    metrics = ArchiveMetrics(registry or CollectorRegistry())
    thread = threading.Thread(target=archive.run, args=(settings, stopping, metrics))
    thread.start()
    try:
        reads.wait_until(
            lambda: reads.positions(settings, "emitter-status").get(0, -1) >= last,
            seconds=180,
            what=f"offset {last}",
        )
    finally:
        stopping.set()
        thread.join(60)


def send(settings: Settings, count: int) -> None:
    """Send records that become dead letters; one partition, so that offsets are known."""
    producer = Producer(producer_config(settings.kafka))
    for number in range(count):
        producer.produce(settings.kafka.topic_prefix + "emitter-status", b"no heartbeat %d" % number, b"here")
    assert producer.flush(180) == 0


def test_what_retention_took_is_said_and_counted(lane: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Records removed before they were stored are an error in the log and a count; the rest is stored."""
    send(lane, 5)
    run_until(lane, 4)
    send(lane, 10)
    admin = AdminClient(kafka_config(lane.kafka))
    where = TopicPartition(lane.kafka.topic_prefix + "emitter-status", 0, 12)
    for answer in admin.delete_records([where]).values():
        answer.result(30)
    registry = CollectorRegistry()
    with caplog.at_level(logging.ERROR):
        run_until(lane, 14, registry)
    labels = {"topic": "emitter-status", "partition": "0"}
    assert registry.get_sample_value("driftline_archive_lost_messages_total", labels) == 7.0
    assert "LOST 7 records: retention removed offsets 5 to 11" in caplog.text


def test_another_partition_count_is_one_sentence(lane: Settings) -> None:
    """Settings that do not fit the topic stop the worker before it joins the group."""
    kafka = msgspec.structs.replace(lane.kafka, partitions=lane.kafka.partitions + 1)
    settings = msgspec.structs.replace(lane, kafka=kafka)
    with pytest.raises(TopicError, match=r"has 4 partitions, DRIFTLINE_KAFKA_PARTITIONS is 5: set it"):
        archive.run(settings, threading.Event(), ArchiveMetrics(CollectorRegistry()))


def test_a_missing_topic_is_one_sentence(lane: Settings) -> None:
    """Topics are created by `driftline up`, never by a worker."""
    settings = msgspec.structs.replace(
        lane, kafka=msgspec.structs.replace(lane.kafka, topic_prefix="nowhere.")
    )
    with pytest.raises(TopicError, match=r"'nowhere\..*' does not exist"):
        archive.run(settings, threading.Event(), ArchiveMetrics(CollectorRegistry()))


def driftline(
    stack: TestStack, settings: Settings, cwd: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    """Run a command line."""
    command = [sys.executable, "-m", "driftline.deploy.cli", *words]
    return subprocess.run(
        command, env=stack.env_of(settings), cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_commands_say_what_they_did(stack: TestStack, lane: Settings, tmp_path: Path) -> None:
    """`migrate` has nothing to do twice; `dead-letter` lists, retries and exits with 1 while one is not taken."""
    done = driftline(stack, lane, tmp_path, "migrate", "--json")
    assert (done.returncode, done.stdout) == (
        0,
        f'{{"database":"{lane.clickhouse.database}","applied":[]}}\n',
    )
    send(lane, 1)
    stopping = threading.Event()
    worker = threading.Thread(target=archive.run, args=(lane, stopping, ArchiveMetrics(CollectorRegistry())))
    worker.start()
    try:
        reads.wait_until(lambda: reads.counts(lane)["dead_letters"] == 1, seconds=180, what="a letter")
        listed = driftline(
            stack, lane, tmp_path, "dead-letter", "list", "--topic", "emitter-status", "--json"
        )
        found = msgspec.json.decode(listed.stdout)
        assert (found["id"], found["reason"], found["state"]) == ("emitter-status/0/0", "bad_magic", "open")
        shown = driftline(stack, lane, tmp_path, "dead-letter", "list", "--since", "2020-01-01")
        assert "emitter-status/0/0  open  bad_magic: the message begins with" in shown.stdout
        again = driftline(stack, lane, tmp_path, "dead-letter", "retry", "--id", "emitter-status/0/0")
        assert (again.returncode, again.stdout) == (1, "sent 1: 0 taken, 1 refused again, 0 waiting\n")
    finally:
        stopping.set()
        worker.join(60)


def test_a_retry_of_nothing_is_one_sentence(stack: TestStack, lane: Settings, tmp_path: Path) -> None:
    """Exit code 1 and one line that says what to do."""
    for words, sentence in (
        ((), "say which to send again: one of --id, --reason or --all"),
        (("--id", "x"), "'x' is no dead letter's id: give it as topic/partition/offset"),
        (("--all",), "no open dead letter matches: 'driftline dead-letter list' shows what there is"),
    ):
        done = driftline(stack, lane, tmp_path, "dead-letter", "retry", *words)
        assert (done.returncode, done.stderr.strip()) == (1, f"driftline: {sentence}")
