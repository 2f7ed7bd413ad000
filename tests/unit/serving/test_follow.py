"""What an agent reads of Kafka and says to it, in which order, with brokers that a test commands."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, KafkaError

from driftline.agents.control.verify_state import StateError
from driftline.agents.serving import follow
from driftline.agents.serving.follow import Follower
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.deployment_state import DeploymentState
from driftline.schemas.settings import Kafka

AWAY = KafkaError(KafkaError._MSG_TIMED_OUT)


class Message:
    """A record of a topic, or its end."""

    def __init__(self, topic: str, offset: int, value: bytes | None = None) -> None:
        self._topic, self._offset, self._value = topic, offset, value

    def topic(self) -> str:
        """Where it lies."""
        return self._topic

    def offset(self) -> int:
        """And where there."""
        return self._offset

    def key(self) -> bytes:
        """All are of one deployment."""
        return b"churn"

    def value(self) -> bytes | None:
        """What it says."""
        return self._value

    def error(self) -> KafkaError | None:
        """That it is the end, when it says nothing."""
        return None if self._value is not None else KafkaError(KafkaError._PARTITION_EOF)


class Broker:
    """Stands for consumer and producer.

    Attributes:
        assigned: what was read from where: names and offsets, a time it was said.
        rounds: what each look for messages finds; past them there is nothing.
        ends: how far topics reach, by name.
        fates: what becomes of what is produced, one record after another; past them all is taken.
        produced: topics and values, in order.
        looks: how often messages were looked for.
    """

    def __init__(self, *rounds: list[Message], **ends: int) -> None:
        self.rounds, self.ends = queue.SimpleQueue[list[Message]](), ends
        for one in rounds:
            self.rounds.put(one)
        self.fates: list[KafkaError | None] = []
        self.produced: list[tuple[str, bytes]] = []
        self.looks = threading.Semaphore(0)
        self.assigned: list[dict[str, int]] = []
        self._held: list[Callable[[], None]] = []

    def assign(self, parts: Any) -> None:
        """Take note of what is read."""
        self.assigned.append({one.topic: one.offset for one in parts})

    def close(self) -> None:
        """Nothing is held."""

    def consume(self, most: int, timeout: float) -> list[Message]:
        """Give a round, whole."""
        if most > 1:
            return []
        self.looks.release()
        try:
            return self.rounds.get(timeout=min(timeout, 0.005))
        except queue.Empty:
            return []

    def get_watermark_offsets(self, part: Any, timeout: float) -> tuple[int, int]:
        """Say how far a topic reaches."""
        del timeout
        return 0, self.ends[part.topic.replace("-", "_")]

    def produce(self, topic: str, value: bytes, _key: bytes, on_delivery: Callable[..., None]) -> None:
        """Take a record; what became of it is told some polls later."""
        self.produced.append((topic, value))
        fate = self.fates.pop(0) if self.fates else None
        self._held += [lambda: None, lambda: on_delivery(fate, None)]

    def poll(self, _timeout: float) -> None:
        """Tell."""
        if self._held:
            self._held.pop(0)()

    def flush(self, _timeout: float) -> None:
        """Tell all."""
        while self._held:
            self._held.pop(0)()


class Station:
    """Writes down what it is told."""

    def __init__(self, *owed: bytes) -> None:
        self.heard: list[str] = []
        self.owed = list(owed)
        self.doubts = False

    def audit(self, data: bytes) -> bool:
        """A record of the audit; some change trust."""
        self.heard.append(f"audit {data.decode()}")
        return data.startswith(b"trust")

    def anew(self) -> None:
        """From the first record again."""
        self.heard.append("anew")

    def news(self) -> None:
        """All was read."""
        self.heard.append("news")

    def heartbeat(self) -> None:
        """None is due."""

    def untold(self) -> list[bytes]:
        """What is owed."""
        return list(self.owed)

    def told(self, command: bytes) -> None:
        """It is owed no more."""
        self.heard.append(f"told {command.decode()}")
        self.owed.remove(command)

    def keep(self, deployment: str, data: bytes) -> None:
        """It is kept."""

    def settle(self) -> None:
        """Nothing waits."""

    def is_ahead(self, _data: bytes) -> bool:
        """The audit was heard."""
        return False

    def state(self, deployment: str, data: bytes) -> None:
        """A state that is looked at."""
        self.heard.append(f"{deployment} {data.decode()}")
        if self.doubts:
            raise StateError("it is wrong")

    def unsigned(self, _deployment: str, _data: bytes) -> None:
        """All are signed."""

    def wants(self, _deployment: str) -> bool:
        """All of them."""
        return True

    def standing(self, _deployment: str) -> None:
        """Nothing stands."""

    def fault(self, _deployment: str, _data: bytes, _before: Any) -> None:
        """None."""

    def refused(self, _deployment: str, _revision: int, why: str) -> None:
        """Nothing is."""
        raise AssertionError(why)


def followed(monkeypatch: pytest.MonkeyPatch, broker: Broker, station: Station, looks: int) -> None:
    """Let a station follow a broker until it looked for messages so often."""
    for name, value in (("HEARTBEAT_S", 0.0), ("NEWS_S", 0.0), ("AGAIN_S", 0.0)):
        monkeypatch.setattr(follow, name, value)
    for name in ("Consumer", "Producer"):
        monkeypatch.setattr(follow, name, lambda _config: broker)
    follower = Follower(Kafka(), station, "test-0")
    follower.start()
    try:
        for _ in range(looks):
            assert broker.looks.acquire(timeout=60)
    finally:
        follower.stop(60)


def state(serving: bytes) -> bytes:
    """Return a record of `deployment-state` that carries what serves."""
    revision = DeploymentState(
        deployment="churn", revision=1, since_ms=0, changed_by="ana", changed_at_ms=1,
        settings=DeploymentSettings(deployment="churn"),
    )  # fmt: skip
    return revision.to_bytes(serving=serving)


def test_states_are_read_once_the_audit_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What trust they rest on may stand in its last record; they are looked at when all of them were read."""
    broker = Broker(
        [Message("audit", 0, b"trust")],
        [Message("audit", 1, b"more"), Message("audit", 2)],
        [Message("deployment-state", 0, state(b"serves"))],
        [Message("deployment-state", 1)],
        audit=2,
        deployment_state=1,
    )
    station = Station()
    followed(monkeypatch, broker, station, looks=6)
    assert station.heard[:5] == ["anew", "audit trust", "audit more", "churn serves", "news"]
    assert broker.assigned == [
        {"audit": OFFSET_BEGINNING},
        {"audit": 2, "deployment-state": OFFSET_BEGINNING},
    ]


def test_states_are_read_again_when_trust_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, from the first one, and looked at once they were read; not after other records of the audit."""
    older = Message("deployment-state", 0, state(b"served"))
    states = [Message("deployment-state", 1, state(b"serves")), Message("deployment-state", 2)]
    broker = Broker(
        [Message("audit", 0, b"trust"), Message("audit", 1)],
        [older],
        states,
        [Message("audit", 1, b"more")],
        [Message("audit", 2, b"trust 2"), Message("audit", 3)],
        [],
        [older],
        states,
        audit=3,
        deployment_state=2,
    )
    station = Station()
    followed(monkeypatch, broker, station, looks=10)
    heard = [one for one in station.heard if one != "news"]
    assert heard == ["anew", "audit trust", "churn serves", "audit more", "audit trust 2", "churn serves"]
    assert broker.assigned[1:] == [
        {"audit": 1, "deployment-state": OFFSET_BEGINNING},
        {"audit": 3, "deployment-state": OFFSET_BEGINNING},
    ]


def test_a_state_in_doubt_at_first_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is believed or its time is over: an agent that is ready serves what a controller signed."""
    broker = Broker(
        [Message("audit", 0, b"trust"), Message("audit", 1)],
        [Message("deployment-state", 0, state(b"serves")), Message("deployment-state", 1)],
        audit=1,
        deployment_state=1,
    )
    station = Station()
    station.doubts = True
    followed(monkeypatch, broker, station, looks=5)
    assert "churn serves" in station.heard
    assert "news" not in station.heard


def test_a_topic_whose_end_went_back_is_read_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is another topic, of which nothing was read: that is said, and is no news."""
    ends = [Message("audit", 2), Message("deployment-state", 0)]
    records = [Message("audit", 0, b"1"), Message("audit", 1, b"2")]
    broker = Broker(records, ends[:1], ends[1:], audit=1, deployment_state=0)
    station = Station()
    followed(monkeypatch, broker, station, looks=5)
    assert station.heard == ["anew", "audit 1", "audit 2", "anew"]
    assert "topic audit ends at 1, and was read up to 2: it is another one" in caplog.text


def test_local_commands_are_sent_until_kafka_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were given while it was away too; not twice while one is under way, nor afterwards."""
    broker, station = Broker(), Station(b"halt", b"back")
    broker.fates = [AWAY]
    followed(monkeypatch, broker, station, looks=20)
    assert broker.produced == [("deployment-control", word) for word in (b"halt", b"back", b"halt")]
    assert station.heard == ["anew", "told back", "told halt"]
