"""P3 on the real Kafka and the real ClickHouse: whatever dies, each label is held against its prediction once."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from alerting import published, routed_by
from archiving import send
from emit_rig import wait_for
from real_stack import TestStack
from receiver import Receiver, receiving
from rig import Crew, say, settle
from truth_facts import differences, read_facts
from truth_feeder import DAY_MS, SLOTS, TruthFeeder
from truth_models import MODELS, publish_models

from driftline.schemas.alert import Alert
from driftline.schemas.deployment import AlertRule, Contact, DeploymentSettings
from driftline.schemas.deployment_state import DeploymentState
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse.client import Client

ROLES = ("accuracy", "archive", "alerts")
LABEL_WINDOWS = 1_000
"""Closed windows that still take labels: all of the test's, that the oracle need not know when one went cold."""
COLD_WINDOWS = 3
"""Closed windows that still take labels, as a worker has them: most labels come when their day is cold, but no id comes
again so late that its first day is.
"""
BACK_DAYS = 90
"""Events begin so long ago that a label of 40 days after the last of them is known by now."""


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    with receiving() as held:
        yield held


@pytest.fixture
def label_windows(request: pytest.FixtureRequest) -> int:
    """How many closed windows take labels: all, unless the test says."""
    return int(getattr(request, "param", LABEL_WINDOWS))


@pytest.fixture
def tuned(lane: Settings, hook: Receiver, tmp_path: Path, label_windows: int) -> Settings:
    """A lane whose workers publish and store every second, so that faults meet every step of it."""
    routes = f'[on-call]\nwebhook = "{hook.url}"\n'
    routed = routed_by(lane, tmp_path / "routes.toml", routes)
    worker = msgspec.structs.replace(
        routed.worker, publish_seconds=1.0, idle_seconds=86_400.0, label_windows=label_windows
    )
    return msgspec.structs.replace(routed, worker=worker)


def run(
    stack: TestStack,
    settings: Settings,
    crew: Crew,
    hook: Receiver,
    seed: int,
    rounds: int,
    faults: list[str],
    settle_s: float = 240.0,
) -> None:
    """Feed the workers while the faults happen, then compare what is left with the facts."""
    rng = random.Random(seed)
    doings: dict[str, Callable[[], object]] = {
        "kill accuracy": lambda: crew.kill(rng.choice(crew.alive("accuracy"))),
        "kill archive": lambda: crew.kill(rng.choice(crew.alive("archive"))),
        "kill alerts": lambda: crew.kill(rng.choice(crew.alive("alerts"))),
        "join accuracy": lambda: crew.start("accuracy"),
        "leave accuracy": lambda: crew.leave(rng.choice(crew.alive("accuracy"))),
        "pause accuracy": lambda: crew.pause(rng.choice(crew.alive("accuracy")), 15.0),
        "kill broker": lambda: (stack.kafka.kill(), time.sleep(rng.uniform(0, 3)), stack.kafka.start()),
        "pause clickhouse": lambda: (
            stack.clickhouse.pause(),
            time.sleep(20.0),
            stack.clickhouse.resume(),
        ),
    }
    began = time.monotonic()
    profiles = publish_models(settings, [version for version, _ in SLOTS], seed)
    for model in MODELS:
        send(settings, "deployment-state", (model.name.encode(), people(model.name).to_bytes()))
    start_ms = (round(time.time() * 1000) // DAY_MS - BACK_DAYS) * DAY_MS
    feeder = TruthFeeder(settings, seed, rounds, 0.25, start_ms)
    for role in ROLES:
        crew.keep(role, 1)
    feeder.start()
    for fault in faults:
        time.sleep(rng.uniform(0.5, 4.0))
        say(f"{time.strftime('%H:%M:%S')} {fault}")
        doings[fault]()
        for role in ROLES:
            crew.keep(role, 1)
    feeder.finish()
    fed = time.monotonic()
    facts = read_facts(settings, profiles)
    wrong = settle(lambda: differences(settings, facts), settle_s)
    assert not wrong, f"seed {seed}: {len(wrong)} wrong, first {wrong[:5]}\n{crew.tails()}"
    edges = check_alerts(settings, hook)
    days = [one.tally for window, one in facts.items() if window.resolution == "1d"]
    say(
        f"{len(facts)} windows, {sum(one['predictions'] for one in days)} predictions, "
        f"{sum(one['labels'] for one in days)} labels in force: all equal; {edges} edges of alerts, each once; "
        f"{fed - began:.0f} s of faults, equal {time.monotonic() - fed:.0f} s after"
    )


def people(deployment: str) -> DeploymentState:
    """Who hears of a deployment, and how its days are judged."""
    settings = DeploymentSettings(
        deployment=deployment,
        minimum_rows=30,
        label_horizon_hours=24.0,
        contacts=(Contact(route="on-call"),),
        alerts=AlertRule(resolution="1d", k=2, m=3),
    )
    return DeploymentState(
        deployment=deployment,
        revision=1,
        since_ms=0,
        changed_by="ana",
        changed_at_ms=0,
        settings=settings,
    )


def check_alerts(settings: Settings, hook: Receiver) -> int:
    """Every edge reaches the receiver, has one content whenever it is said, and is the next of its alert."""
    made: dict[str, Alert] = {}
    told: dict[str, bytes] = {}

    def all_told() -> bool:
        for one in published(settings):
            assert made.setdefault(one.id, one) == one
        for headers, content in tuple(hook.taken):
            if json.loads(content).get("kind") != "advice":
                assert told.setdefault(headers["Idempotency-Key"], content) == content
        return set(told) == set(made)

    wait_for(all_told, "every edge is told")
    # Change points are counted apart from the other alerts of a deployment.
    by_ordinal = sorted(made.values(), key=lambda one: (one.deployment, one.rule == "change", one.ordinal))
    for one, other in pairwise(by_ordinal):
        is_next = (one.deployment, one.rule == "change") == (other.deployment, other.rule == "change")
        assert not is_next or other.ordinal == one.ordinal + 1
    said: dict[str, tuple[str, str]] = {}
    for one in by_ordinal:
        before = said.get(one.alert_id, ("resolved", ""))
        assert (one.state, one.severity) != before
        assert one.state == "firing" or before[0] == "firing"
        said[one.alert_id] = (one.state, one.severity)
    assert any(one.about == "performance" for one in made.values())
    return len(made)


def schedule(rng: random.Random, counts: dict[str, int]) -> list[str]:
    """The faults in a seeded order, in which a worker joins before one leaves."""
    faults = [name for name, count in counts.items() for _ in range(count)]
    rng.shuffle(faults)
    turns = [at for at, name in enumerate(faults) if name in ("join accuracy", "leave accuracy")]
    for turn, at in enumerate(turns):
        faults[at] = ("join accuracy", "leave accuracy")[turn % 2]
    return faults


@pytest.mark.slow  # a minute; tests/integration/accuracy holds the same in short
def test_labels_survive_kills_and_rebalances(
    stack: TestStack, tuned: Settings, crew: Crew, hook: Receiver, seed: int
) -> None:
    """Short form: three kills, a worker that joins and leaves, alerts and archive killed: equal, exactly."""
    counts = {
        "kill accuracy": 3,
        "join accuracy": 1,
        "leave accuracy": 1,
        "kill alerts": 1,
        "kill archive": 1,
    }
    run(stack, tuned, crew, hook, seed, 80, schedule(random.Random(seed), counts))


LONG = {
    "kill accuracy": 8,
    "join accuracy": 2,
    "leave accuracy": 2,
    "pause accuracy": 1,
    "kill broker": 1,
    "pause clickhouse": 1,
    "kill alerts": 2,
    "kill archive": 1,
}


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("turn", range(2))
def test_labels_survive_a_long_run(
    stack: TestStack, tuned: Settings, crew: Crew, hook: Receiver, seed: int, turn: int
) -> None:
    """Per seed 8 kills, 4 rebalances, a pause of 15 s, a broker killed, ClickHouse away for 20 s: equal, exactly."""
    run(stack, tuned, crew, hook, seed + turn, 400, schedule(random.Random(seed + turn), LONG))


@pytest.mark.chaos
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("label_windows", [COLD_WINDOWS], indirect=True)
def test_cold_windows_survive_a_long_run(
    stack: TestStack, tuned: Settings, crew: Crew, hook: Receiver, seed: int
) -> None:
    """The same with windows that go cold: restated from the archive under the same faults, equal, exactly."""
    run(stack, tuned, crew, hook, seed, 400, schedule(random.Random(seed), LONG), settle_s=900.0)
    with Client(tuned.clickhouse) as client:
        (found,) = client.query("SELECT countIf(restated) AS restated, count() AS all FROM windows_now")
    say(f"{found['restated']} of {found['all']} windows are restated")
    assert int(found["restated"]) > int(found["all"]) // 2
