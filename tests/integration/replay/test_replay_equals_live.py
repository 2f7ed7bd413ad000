"""`driftline replay` on the real Kafka and ClickHouse: the live windows again, and with other bins."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from real_stack import TestStack
from replaying import DAY_MS, Traffic, command, counters, outcomes, reference, refusal, rows_of
from rig import Crew, settle

from driftline.deploy.tables.profile_files import save_profile
from driftline.deploy.tables.shelf import publish
from driftline.schemas.clients import kafka_config
from driftline.schemas.partition import partition_of
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse import fact_reads, reads
from driftline.streams.clickhouse.client import Client
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.layout import Layout

ROWS = 6_000
DAYS = 3
WIDTHS = ("1h", "1d")


@pytest.fixture
def tuned(lane: Settings) -> Settings:
    """A lane that publishes every second and keeps every window hot."""
    often = {"publish_seconds": 1.0, "checkpoint_seconds": 1.0, "idle_seconds": 2.0}
    worker = msgspec.structs.replace(lane.worker, **often)
    return msgspec.structs.replace(lane, worker=msgspec.structs.replace(worker, label_windows=1_000))


def utc(time_ms: int) -> str:
    """Write a time as the command takes it."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%S}"


def test_the_settings_of_the_live_run_give_the_live_counts(
    stack: TestStack, tuned: Settings, crew: Crew, tmp_path: Path
) -> None:
    """From the log and from the archive, counters and outcomes are the live ones, `==`; bad input is said."""
    start_ms = (round(time.time() * 1000) // DAY_MS - DAYS - 1) * DAY_MS
    live, other = reference(1, resolutions=WIDTHS), reference(2, "other", resolutions=WIDTHS)
    publish(tuned, live)
    for role in ("drift", "accuracy", "archive"):
        crew.keep(role, 1)
    traffic = Traffic(tuned, start_ms, DAYS, ROWS)
    traffic.send()
    labels = traffic.label(slice(0, ROWS, 3))
    traffic.close()
    layout = Layout(live)

    def settled() -> bool:
        counted, joined = counters(tuned, layout, "live"), outcomes(tuned, "live")
        days = [joined[one] for one in joined if one[0] == "1d"]
        return (
            sum(one.rows for place, one in counted.items() if place[0] == "1d") == ROWS
            and sum(one.labels for one in days) == labels
            and sum(one.labels for place, one in joined.items() if place[0] == "1h") == labels
            # A window that is told as final after it was restated is the live one again, with the same counts.
            and all(row["final"] for row in rows_of(tuned, "live", "drift").values())
        )

    try:
        reads.wait_until(settled, seconds=180, what="that all is counted live")
    except Exception as late:
        raise AssertionError(crew.tails()) from late
    env, span = (
        stack.env_of(tuned),
        ("--since", utc(start_ms - 31 * DAY_MS), "--until", utc(start_ms + 70 * DAY_MS)),
    )
    for source in ("kafka", "archive"):
        done = command(env, tmp_path, "replay", "churn", *span, "--source", source, "--name", source)
        assert (done["predictions"], done["labels"]) == (ROWS, labels)

        def archived(run: str = source, wanted: dict[str, int] = done["windows"]) -> list[str]:
            found = {"drift": len(counters(tuned, layout, run)), "accuracy": len(outcomes(tuned, run))}
            return [] if found == wanted else [f"{run}: {found} of {wanted}"]

        assert settle(archived, 180) == [], crew.tails()
        assert counters(tuned, layout, source) == counters(tuned, layout, "live")
        assert outcomes(tuned, source) == outcomes(tuned, "live")
    save_profile(other, tmp_path / "other.profile")
    command(
        env,
        tmp_path,
        "replay",
        "churn",
        *span,
        "--profile",
        "other.profile",
        "--resolution",
        "1d",
        "--name",
        "bins",
    )
    reads.wait_until(
        lambda: len(counters(tuned, Layout(other), "bins")) == DAYS, seconds=30, what="three days"
    )
    with Client(tuned.clickhouse) as client:
        for (_, day), found in counters(tuned, Layout(other), "bins").items():
            plain = Counters(Layout(other))
            for _, cols in fact_reads.predictions(client, fact_reads.Stretch("churn", day, day + DAY_MS)):
                plain.fold(cols)
            assert found == plain
    words = ("--restate", "--resolution", "1d", "--source", "archive")
    assert command(env, tmp_path, "replay", "churn", *span, *words)["run"] == "live"

    def unrestated() -> list[int]:
        return [start for start, row in rows_of(tuned, "live", "drift").items() if not row["restated"]]

    assert settle(unrestated, 180) == [], crew.tails()
    assert counters(tuned, layout, "live") == counters(tuned, layout, "kafka")
    assert "is not before until" in refusal(
        env, tmp_path, "replay", "churn", "--since", "2025-02-01", "--until", "2025-01-01"
    )
    assert "choose another name" in refusal(env, tmp_path, "replay", "churn", *span, "--name", "live")
    assert "deployment 'chrun' is not known: it is one of churn" in refusal(
        env, tmp_path, "replay", "chrun", *span
    )
    assert "neither a published version" in refusal(env, tmp_path, "replay", "churn", *span, "--profile", "9")
    assert "is of no metric: did you mean 'psi'?" in refusal(
        env, tmp_path, "replay", "churn", *span, "--floors", "pis.warn=1"
    )
    assert "there are archive, bins, kafka, live" in refusal(
        env, tmp_path, "windows", "churn", "--run", "nobody"
    )
    forget_first_record(tuned)
    assert "or --source archive" in refusal(env, tmp_path, "replay", "churn", *span, "--source", "kafka")
    assert command(env, tmp_path, "replay", "churn", *span, "--name", "short")["source"] == "archive"


def forget_first_record(settings: Settings) -> None:
    """Remove the first prediction's record from the log, as retention would."""
    topic = settings.kafka.topic_prefix + "predictions"
    place = TopicPartition(topic, partition_of(b"churn", settings.kafka.partitions), 1)
    admin = AdminClient(kafka_config(settings.kafka))
    for answer in admin.delete_records([place], request_timeout=30).values():
        answer.result(30)
