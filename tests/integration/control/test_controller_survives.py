"""Controllers that are two, and one whose topic is another: no gap, no double, one state."""

from __future__ import annotations

import os
import random
import signal
import time

import msgspec
from confluent_kafka.admin import AdminClient
from controlled import PROFILE, WAIT_S, Hall, package
from controller_faults import all_decided, asked
from signed import key, pem

from driftline.agents.control.controller.broker import Broker
from driftline.deploy.local.compacted import produce, records
from driftline.deploy.local.kafka_topics import ensure_topics
from driftline.schemas.deployment_state import defaults
from driftline.schemas.settings import kafka_config
from driftline.schemas.topics import ALERTS, WINDOWS


def test_of_two_controllers_one_writes(hall: Hall) -> None:
    """Two at once, the one that writes stopped beyond its session and then awake again: nothing is told twice."""
    rng = random.Random(7)
    asking = asked(hall, rng)
    first = hall.start()
    size = 1
    for _ in range(10):
        next(asking)
    hall.flush()
    hall.wait(lambda told: len(told) > size)
    second = hall.start()
    os.kill(first.pid, signal.SIGSTOP)
    try:
        for _ in range(20):
            next(asking)
        all_decided(hall)
    finally:
        os.kill(first.pid, signal.SIGCONT)
    for _ in range(20):
        next(asking)
    all_decided(hall)
    hall.agree()
    second.terminate()
    assert second.wait(30) == 0
    for _ in range(5):
        next(asking)
    all_decided(hall)
    hall.agree()
    first.terminate()
    assert first.wait(30) == 0


def made_anew(hall: Hall, topic: str) -> str:
    """Let a topic be deleted and made again; return its name."""
    kafka = hall.settings.kafka
    name, admin = kafka.topic_prefix + topic, AdminClient(kafka_config(kafka))
    admin.delete_topics([name])[name].result(WAIT_S)
    deadline = time.monotonic() + WAIT_S
    while name in admin.list_topics(timeout=10).topics:
        assert time.monotonic() < deadline
    ensure_topics(hall.settings)
    return name


def test_halts_are_decided_though_nothing_watches(hall: Hall) -> None:
    """Without the topics of alerts and windows a controller begins, decides, and says what it cannot read."""
    kafka = hall.settings.kafka
    names = [kafka.topic_prefix + topic for topic in (ALERTS, WINDOWS)]
    admin = AdminClient(kafka_config(kafka))
    for deleted in admin.delete_topics(names).values():
        deleted.result(WAIT_S)
    hall.start()
    hall.ask("halt-serving", "oli")
    assert f"topic {names[0]} cannot be read, and what rests on it waits" in hall.log()


def test_a_topic_made_anew_stops_the_controller_until_roots_say_so(hall: Hall) -> None:
    """It ends with one sentence until a log-reset names the new topic; what lies before that is passed over."""
    running = hall.start()
    hall.ask("halt-serving", "oli")
    stale = hall.send("halt-serving", "oli")
    hall.flush()
    hall.wait(lambda told: any(one.command == stale.digest for one in told))
    kafka, name = hall.settings.kafka, made_anew(hall, "deployment-control")
    assert running.wait(60) == 1
    topic_id = Broker(kafka).topic_id("deployment-control")
    said = hall.log().splitlines()[-1]
    assert said.startswith(f"driftline: topic {name!r} is not as it was left: it has the id {topic_id}, and ")
    assert f"'driftline log-reset {topic_id}'" in said
    again = hall.send("halt-serving", "oli")
    hall.flush()
    assert hall.start().wait(60) == 1
    reset = hall.send("log-reset", "root-1", "root-2", deployment="", target=topic_id)
    hall.flush()
    hall.start()
    hall.wait(lambda told: any(one.command == reset.digest and one.event == "effective" for one in told))
    after = hall.ask("halt-serving", "oli")
    told = hall.told()
    assert after.source is not None
    assert (after.source.topic_id, after.source.offset) == (topic_id, 2)
    assert not any(one.command == again.digest for one in told)
    passed = next(one for one in told if one.event == "passed-over")
    assert passed.unread is not None
    assert (passed.unread.count, passed.unread.first_offset, passed.unread.last_offset) == (1, 0, 0)


def test_what_somebody_else_writes_over_a_state_is_said_over(hall: Hall) -> None:
    """A forged record in `deployment-state`, and one written while no controller was, are told and written over."""
    running = hall.start()
    made = package("1")
    hall.does("register", "ann", model=made.model, manifest=made.manifest, profile=PROFILE)
    topic = hall.settings.kafka, "deployment-state"
    held = [message.value() for message in records(*topic)][-1]
    forged = defaults("churn").to_bytes((), b"{}")
    for times in (1, 2):
        produce(*topic, b"churn", forged)
        if times == 2:
            hall.start()
        hall.wait(lambda told, times=times: sum(one.event == "restated" for one in told) == times)
        assert [message.value() for message in records(*topic)][-1] == held
        running.kill()
        running.wait(10)


def test_states_whose_topic_is_made_anew_are_written_there_again(hall: Hall) -> None:
    """By the controller that runs, within seconds: whoever starts an agent then finds what is so; a tombstone too."""
    hall.start()
    made = package("1")
    hall.does("register", "ann", model=made.model, manifest=made.manifest, profile=PROFILE)
    topic = hall.settings.kafka, "deployment-state"
    held = [message.value() for message in records(*topic)][-1]
    made_anew(hall, "deployment-state")
    hall.wait(lambda told: any(one.event == "restated" for one in told))
    assert [message.value() for message in records(*topic)] == [held]
    produce(*topic, b"churn", None)
    hall.wait(lambda told: sum(one.event == "restated" for one in told) == 2)
    assert [message.value() for message in records(*topic)][-1] == held


def test_a_controller_that_could_not_take_over_ends_while_it_waits(hall: Hall) -> None:
    """One with another genesis, and one whose key no trust names: with one sentence each; who decides goes on."""
    hall.start()
    hall.ask("halt-serving", "oli")
    mine = hall.settings
    stranger = hall.folder / "stranger.pem"
    stranger.write_bytes(pem("stranger"))
    stranger.chmod(0o600)
    for over, sentence in (
        (
            {"genesis": "ab" * 32},
            f"record 0 has the digest {mine.control.genesis}, and {'ab' * 32} is pinned",
        ),
        ({"controller_key": str(stranger)}, f"trust names no key {key('stranger').keyid[:16]} for states: "),
    ):
        hall.settings = msgspec.structs.replace(mine, control=msgspec.structs.replace(mine.control, **over))
        assert hall.start().wait(60) == 1
        assert sentence in hall.log().splitlines()[-1]
    hall.settings = mine
    hall.start()
    hall.ask("halt-serving", "oli")
    assert [one.poll() for one in hall.controllers] == [None, 1, 1, None]


def test_a_controller_whose_topics_are_missing_ends_with_a_sentence(hall: Hall) -> None:
    """Nobody is ever given a partition of what is not there: it would wait without a word."""
    kafka = msgspec.structs.replace(hall.settings.kafka, topic_prefix="nowhere-")
    hall.settings = msgspec.structs.replace(hall.settings, kafka=kafka)
    assert hall.start().wait(60) == 1
    assert (
        "has no topic 'nowhere-deployment-control': 'driftline migrate --topics'"
        in hall.log().splitlines()[-1]
    )
