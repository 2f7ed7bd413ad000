"""The archive worker on the real Kafka and ClickHouse: killed, paused, joined, cut off; every row lies there once."""

from __future__ import annotations

import random
import signal
import time

import msgspec
import pytest
from facts import Facts, read_facts
from feeder import Feeder
from real_stack import TestStack
from rig import Crew, archived, settle
from rubbish import KINDS

from driftline.schemas.settings import Settings
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.client import Client

DEPLOYMENTS = ("churn", "fraud", "flights", "prices", "spam", "ads")
# Small blocks, so that a run of seconds has many, and a kill is likely to fall into one.
BLOCK_ROWS = 1_000


@pytest.fixture
def tuned(lane: Settings) -> Settings:
    """Settings of a lane whose archive cuts small blocks."""
    archive = msgspec.structs.replace(lane.archive, block_rows=BLOCK_ROWS, block_seconds=0.1)
    return msgspec.structs.replace(lane, archive=archive)


def wrong_rows(settings: Settings, facts: Facts) -> list[str]:
    """What differs between the tables and the facts."""
    with Client(settings.clickhouse) as client:
        looked_up = client.query("SELECT deployment, count() AS n FROM prediction_lookup GROUP BY deployment")
        sealed = client.query(
            "SELECT deployment, sum(rows) AS n FROM batches WHERE topic = 'predictions' GROUP BY deployment"
        )
        letters = client.query(
            "SELECT partition, offset, reason, count() AS n FROM dead_letters_now "
            "WHERE topic = 'predictions' GROUP BY ALL"
        )
        overlaps = client.query(
            "SELECT a.partition AS p, a.first AS f FROM blocks AS a INNER JOIN blocks AS b "
            "ON a.topic = b.topic AND a.partition = b.partition WHERE a.first < b.first AND a.last >= b.first"
        )
    found = {
        "predictions": archived(settings),
        "prediction_lookup": {row["deployment"]: row["n"] for row in looked_up},
        "batches": {row["deployment"]: row["n"] for row in sealed},
        "dead letters": {(row["partition"], row["offset"]): (row["reason"], row["n"]) for row in letters},
    }
    rows = dict(facts.rows)
    wanted = {
        "predictions": rows,
        "prediction_lookup": rows,
        "batches": rows,
        "dead letters": {place: (reason, 1) for place, reason in facts.refused.items()},
    }
    wrong = [
        f"{name}: {found[name]} instead of {wanted[name]}" for name in found if found[name] != wanted[name]
    ]
    return wrong + [f"blocks overlap at {row}" for row in overlaps]


def assert_exact(settings: Settings, crew: Crew, seconds: float = 60.0) -> Facts:
    """Hold the tables to what the log says."""
    facts = read_facts(settings, ())
    assert facts.rows, "nothing was sent"
    wrong = settle(lambda: wrong_rows(settings, facts), seconds)
    assert not wrong, "\n".join([*wrong, crew.tails()])
    return facts


def feed(settings: Settings, seed: int, rubbish: tuple[bytes, ...] = ()) -> Feeder:
    """Start a flood with copies of batches in it."""
    feeder = Feeder(settings, seed, DEPLOYMENTS, batches_per_second=200, rubbish=rubbish)
    feeder.start()
    return feeder


def wait_for_rows(settings: Settings, least: int) -> None:
    """Wait until so many predictions are stored."""
    reads.wait_until(
        lambda: reads.counts(settings)["predictions"] >= least, seconds=180, what=f"{least} rows"
    )


def test_kills_and_rebalances_store_every_row_once(tuned: Settings, crew: Crew) -> None:
    """P1: kill -9 under load, a second worker joining and leaving, and a SIGSTOP past the session: rows == facts."""
    rng = random.Random(7)
    feeder = feed(tuned, 7)
    crew.keep("archive", 1)
    wait_for_rows(tuned, 1_000)
    for _ in range(4):
        crew.kill(rng.choice(crew.alive("archive")))
        crew.keep("archive", 2)
        time.sleep(rng.uniform(1.0, 3.0))  # kills fall anywhere in a block, not at a known place
    crew.leave(crew.alive("archive")[0])
    crew.keep("archive", 2)
    # Longer than the session of 6 s: the group puts the worker out, its partitions move on and come back.
    crew.pause(crew.alive("archive")[0], 9.0)
    stored = reads.counts(tuned)["predictions"]
    wait_for_rows(tuned, stored + 1_000)
    feeder.stop()
    assert_exact(tuned, crew)


def test_a_clickhouse_that_is_away_costs_nothing(stack: TestStack, tuned: Settings, crew: Crew) -> None:
    """ClickHouse killed with -9 under load and back after seconds, an archive killed meanwhile: nothing is lost."""
    feeder = feed(tuned, 11)
    crew.keep("archive", 1)
    wait_for_rows(tuned, 1_000)
    assert stack.clickhouse is not None
    stack.clickhouse.kill()
    time.sleep(3.0)  # the outage itself
    crew.kill(crew.alive("archive")[0])
    crew.keep("archive", 1)
    time.sleep(3.0)
    stack.clickhouse.start()
    wait_for_rows(tuned, 2_000)
    feeder.stop()
    assert_exact(tuned, crew)


def test_a_broker_that_restarts_costs_nothing(stack: TestStack, tuned: Settings, crew: Crew) -> None:
    """The broker killed with -9 under load and started again: every acknowledged row lies there once."""
    feeder = feed(tuned, 13)
    crew.keep("archive", 2)
    wait_for_rows(tuned, 1_000)
    assert stack.kafka is not None
    stack.kafka.kill()
    time.sleep(1.0)  # the outage itself
    stack.kafka.start()
    stored = reads.counts(tuned)["predictions"]
    wait_for_rows(tuned, stored + 2_000)
    feeder.stop()
    assert_exact(tuned, crew)


def test_bad_bytes_go_to_the_dead_letters_and_the_rest_goes_on(tuned: Settings, crew: Crew) -> None:
    """P7: twenty kinds of bad bytes among good ones, a worker killed meanwhile: each is one letter."""
    feeder = feed(tuned, 17, rubbish=tuple(KINDS.values()))
    crew.keep("archive", 1)
    wait_for_rows(tuned, 3_000)
    crew.kill(crew.alive("archive")[0])
    crew.keep("archive", 1)
    wait_for_rows(tuned, 6_000)
    assert feeder.all_rubbish_sent.wait(60), "not every kind was sent in time"
    feeder.stop()
    facts = assert_exact(tuned, crew)
    assert len(facts.refused) >= len(KINDS), facts.refused
    assert len(set(facts.refused.values())) >= 5, facts.refused


def test_sigterm_stores_what_was_read(tuned: Settings, crew: Crew) -> None:
    """SIGTERM ends the worker with 0 within seconds, and the group's position is where the blocks end."""
    feeder = feed(tuned, 19)
    worker = crew.start("archive")
    wait_for_rows(tuned, 2_000)
    feeder.stop()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0, crew.tails()
    crew.keep("archive", 1)
    assert_exact(tuned, crew)
    with Client(tuned.clickhouse) as client:
        assert not client.query(
            "SELECT count() AS n FROM blocks GROUP BY topic, partition, first HAVING n > 1"
        )
