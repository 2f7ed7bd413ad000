"""P1 on the real Kafka and the real ClickHouse: whatever dies, each prediction is counted and stored once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import msgspec
import pytest
from facts import read_facts
from feeder import Feeder, publish_profiles
from real_stack import TestStack
from rig import Crew, differences, say, settle
from rubbish import KINDS

from driftline.schemas.settings import Settings

DEPLOYMENTS = tuple("abcdefgh")
PROFILED = DEPLOYMENTS[:4]
RESOLUTIONS = ("5m", "1h", "1d")
# Idle closing follows the clock and so the faults: it is left out, that the oracle can say which rows are late.
QUICK = {"checkpoint_seconds": 1.0, "publish_seconds": 1.0, "idle_seconds": 86_400.0}


@pytest.fixture
def tuned(lane: Settings) -> Settings:
    """A lane whose workers checkpoint every second, so that faults meet every step of it."""
    return msgspec.structs.replace(lane, worker=msgspec.structs.replace(lane.worker, **QUICK))


def run(
    stack: TestStack,
    settings: Settings,
    crew: Crew,
    seed: int,
    faults: list[str],
    *,
    batches_per_second: float = 150.0,
) -> None:
    """Feed the workers while the faults happen, then compare what is left with the facts."""
    rng = random.Random(seed)
    doings: dict[str, Callable[[], object]] = {
        "kill drift": lambda: crew.kill(rng.choice(crew.alive("drift"))),
        "kill archive": lambda: crew.kill(rng.choice(crew.alive("archive"))),
        "join drift": lambda: crew.start("drift"),
        "leave drift": lambda: crew.leave(rng.choice(crew.alive("drift"))),
        "join archive": lambda: crew.start("archive"),
        "leave archive": lambda: crew.leave(rng.choice(crew.alive("archive"))),
        "pause drift": lambda: crew.pause(rng.choice(crew.alive("drift")), 15.0),
        "pause archive": lambda: crew.pause(rng.choice(crew.alive("archive")), 15.0),
        "kill broker": lambda: (stack.kafka.kill(), time.sleep(rng.uniform(0, 3)), stack.kafka.start()),
        "stop clickhouse": lambda: (
            stack.clickhouse.kill(),
            time.sleep(rng.uniform(2, 8)),
            stack.clickhouse.start(),
        ),
    }
    layouts = publish_profiles(settings, PROFILED, seed)
    feeder = Feeder(
        settings, seed, DEPLOYMENTS, rubbish=tuple(KINDS.values()), batches_per_second=batches_per_second
    )
    crew.keep("drift", 1)
    crew.keep("archive", 1)
    feeder.start()
    time.sleep(4)
    for fault in faults:
        say(f"{time.strftime('%H:%M:%S')} {fault}")
        doings[fault]()
        time.sleep(rng.uniform(0.2, 4.0))
        crew.keep("drift", 1)
        crew.keep("archive", 1)
    feeder.stop()
    assert feeder.failed == 0, "the producer gave messages up"
    facts = read_facts(settings, RESOLUTIONS, layouts)
    wrong = settle(lambda: differences(settings, facts), 180)
    assert not wrong, f"seed {seed}: {len(wrong)} wrong, first {wrong[:5]}\n{crew.tails()}"
    say(f"{facts.records} records, {sum(facts.rows.values())} rows, {len(facts.windows)} windows: all equal")


def schedule(rng: random.Random, counts: dict[str, int]) -> list[str]:
    """The faults in a seeded order, in which a worker joins before one leaves."""
    faults = [name for name, count in counts.items() for _ in range(count)]
    rng.shuffle(faults)
    ordered: list[str] = []
    for role in ("drift", "archive"):
        joins_first = [f"join {role}", f"leave {role}"]
        turns = [at for at, name in enumerate(faults) if name in joins_first]
        for turn, at in enumerate(turns):
            faults[at] = joins_first[turn % 2]
    ordered += faults
    return ordered


@pytest.mark.timeout(400)
def test_counts_survive_kills_rebalances_pauses_and_outages(
    stack: TestStack, tuned: Settings, crew: Crew, seed: int
) -> None:
    """Short form: workers killed, joining, leaving, stopped for 15 s; broker and ClickHouse killed: equal, exactly."""
    faults = schedule(
        random.Random(seed),
        {
            "kill drift": 2,
            "kill archive": 1,
            "join drift": 1,
            "leave drift": 1,
            "pause drift": 1,
            "kill broker": 1,
            "stop clickhouse": 1,
        },
    )
    run(stack, tuned, crew, seed, faults, batches_per_second=60.0)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("turn", range(3))
def test_counts_survive_a_long_run(
    stack: TestStack, tuned: Settings, crew: Crew, seed: int, turn: int
) -> None:
    """Per seed at least 10 kills, 6 rebalances, 3 pauses of 15 s, 2 broker kills, ClickHouse away: equal, exactly."""
    faults = schedule(
        random.Random(seed + turn),
        {
            "kill drift": 6,
            "kill archive": 5,
            "join drift": 3,
            "leave drift": 3,
            "join archive": 2,
            "leave archive": 2,
            "pause drift": 2,
            "pause archive": 1,
            "kill broker": 2,
            "stop clickhouse": 2,
        },
    )
    run(stack, tuned, crew, seed + turn, faults)
