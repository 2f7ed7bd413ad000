"""Agents without Kafka: they serve on as long as they may, obey a halt that is given here, and lose no prediction."""

from __future__ import annotations

import dataclasses
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from agent_process import AgentProcess
from believing import FIRST, PIN, followed
from memory_wire import key_file
from msgspec.structs import replace
from office import EVIDENCE, PROFILE, Office
from packaged import about, packed
from real_stack import TestStack
from rig import say, settle
from served import request
from signed import key
from steady import Steady
from town import Town

from driftline.agents.serving.package.stores import folder_store
from driftline.deploy.local.compacted import produce, records
from driftline.deploy.local.environment import child_environment
from driftline.schemas.columns import read_predictions
from driftline.schemas.deployment_state import defaults
from driftline.schemas.settings import Settings

SPOOLED_S = 3.0
"""After which an answered prediction lies on disk when Kafka is away: it stalls for 1 s before that is believed."""
MAX_STALE_S = 6.0


def arrived(settings: Settings) -> Counter[tuple[str, str]]:
    """Return how often each id arrived, with its version; a batch that was sent twice is one, as for readers."""
    batches = {}
    for message in records(settings.kafka, "predictions"):
        rows = read_predictions(message.value() or b"")
        assert rows.identity is not None
        if rows.slot != "champion":
            continue
        one = rows.identity
        batches[one.instance, one.epoch, one.seq] = [
            (identity, rows.model_version) for identity in rows.original_ids or [] if identity is not None
        ]
    return Counter(one for told in batches.values() for one in told)


@contextmanager
def brief(lane: Settings, folder: Path) -> Iterator[AgentProcess]:
    """An agent of another installation, whose state lets it serve on for a few seconds without news."""
    office, folder = Office("low"), folder / "brief"
    office.now_ms = time.time_ns() // 1_000_000
    made = packed(folder / "model", about=about(tier="low"), signers=(key("ann"),))
    ref = made.signed.ref
    folder_store(folder / "store", make=True).push(made.folder, made.signed)
    office.does("register", "ann", model=ref, manifest="e30=", profile=PROFILE)
    office.does("validate", "val", model=ref, evidence=EVIDENCE)
    office.does("create", "ann", model=ref)
    state = replace(office.state, max_stale_s=MAX_STALE_S)
    office.told[-1] = dataclasses.replace(office.told[-1], after=state)
    for data in (FIRST, *followed(office)):
        produce(lane.kafka, "audit", b"", data)
    record = defaults("churn").to_bytes(serving=office.published(state))
    produce(lane.kafka, "deployment-state", b"churn", record)
    env = child_environment(lane) | {
        "DRIFTLINE_CONTROL_GENESIS": PIN,
        "DRIFTLINE_PACKAGES_STORE": str(folder / "store"),
        "DRIFTLINE_SERVE_KEY": key_file(folder, "serving-1"),
    }
    agent = AgentProcess(env, folder, "brief")
    try:
        yield agent
        assert agent.stop() == 0
    finally:
        agent.kill()


def without_kafka(town: Town, stack: TestStack, agent: AgentProcess, seconds: float) -> dict[str, str]:
    """Take Kafka away for so long under load; return what the town's agents answered meanwhile and shortly before."""
    first, second = town.agents
    body, operator = request(), key_file(town.folder, "oli")
    agent.until(lambda: agent.ask(body=body)[0] == 200)
    assert stack.kafka is not None
    with Steady(first, f"first {town.state.revision}") as one:
        with Steady(second, f"second {town.state.revision}") as two:
            stack.kafka.kill()
            away_s = time.monotonic()
            one.reach(50)
            two.reach(50)
            words = ("halt", "local", "churn", "--reason", "it burns", "--key", operator, "--json")
            halted = second.says(*words)
            assert halted.returncode == 0, halted.stderr
            assert json.loads(halted.stdout)["instances"] == [second.instance]
            second.until(lambda: second.ask(body=body)[0] == 503)
        assert set(two.failed.values()) <= {"churn serves nothing: halted by oli: it burns"}
        second.until(lambda: time.monotonic() - two.last_s > SPOOLED_S)
        second.kill()
        second.start()
        second.until(lambda: "halted by oli: it burns" in second.ask(body=body)[1]["error"])
        agent.until(lambda: "nothing was heard" in agent.ask(body=body)[1].get("error", ""))
        while time.monotonic() - away_s < seconds:
            one.reach(5)
        assert one.failed == {}
        assert second.process.poll() is None
    stack.kafka.start()
    agent.until(lambda: agent.ask(body=body)[0] == 200)
    say(f"{len(one.answered) + len(two.answered)} requests, {time.monotonic() - away_s:.1f} s without Kafka")
    return one.answered | two.answered


def hold(town: Town, stack: TestStack, lane: Settings, folder: Path, seconds: float) -> None:
    """Take Kafka away and hold what must be so afterwards."""
    with brief(lane, folder) as agent:
        answered = without_kafka(town, stack, agent, seconds)
    town.reopen()
    town.wait(
        lambda one: (one.event, one.op, one.actor, one.reasons) == ("effective", "halt-serving", "oli", ())
    )
    body = request()
    for one in town.agents:
        one.until(lambda one=one: "halted by oli: it burns" in one.ask(body=body)[1].get("error", ""))
    found: Counter[tuple[str, str]] = Counter()

    def missing() -> list[str]:
        found.clear()
        found.update(arrived(town.hall.settings))
        return [str(one) for one in sorted(answered.items() - found.keys())[:20]]

    assert settle(missing, 180) == []
    assert {one: count for one, count in found.items() if count != 1} == {}
    town.does("resume", "ann", target="serving")
    town.applied()
    for one in town.agents:
        # One that the controller had not heard again by then serves a moment later.
        one.until(lambda one=one: one.ask(body=body)[0] == 200)
        assert "Traceback" not in one.log.read_text()


def test_without_kafka_nothing_is_lost_and_a_halt_is_obeyed(
    town: Town, stack: TestStack, lane: Settings, tmp_path: Path
) -> None:
    """The broker is killed under load: agents serve on, one until its state is too old; one obeys a halt given to it.

    That one keeps the halt over a kill. Kafka back, each answered prediction arrives once, and the halt is audited.
    """
    hold(town, stack, lane, tmp_path, 12.0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_minute_without_kafka_loses_no_prediction(
    town: Town, stack: TestStack, lane: Settings, tmp_path: Path
) -> None:
    """The same for a minute."""
    hold(town, stack, lane, tmp_path, 60.0)
